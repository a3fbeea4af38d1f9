import { bytes } from '../../support/reports.ts';
import type { Samples } from './types.ts';

const DECLARATION = '<?xml version="1.0"?>\n';
const ENTITY = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>';
const pmml = (inside: string, prolog = ''): Uint8Array =>
  bytes(`${DECLARATION}${prolog}<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/>${inside}</PMML>`);
const net = (inside: string, prolog = ''): Uint8Array =>
  bytes(`${DECLARATION}${prolog}<net name="m" version="11"><layers>${inside}</layers><edges/></net>`);
const layer = (type: string, version = 'opset1'): string =>
  `<layer id="0" name="x" type="${type}" version="${version}"/>`;
const document = (inside: string): Uint8Array => bytes(`${DECLARATION}${inside}`);

export const documentSamples: readonly Samples[] = [
  {
    format: 'pmml',
    accept: {
      tree: () =>
        pmml(
          '<TreeModel functionName="classification"><Node score="x"><SimplePredicate field="a" operator="lessThan" value="1.5"/></Node></TreeModel>',
        ),
    },
    reject: {
      'an entity of another file': () => pmml('', ENTITY),
      'a program in an extension': () => pmml('<Extension name="s"><![CDATA[import os; os.remove("x")]]></Extension>'),
      'a function that is a class': () => pmml('<Apply function="com.example.Evil"/>'),
      'an element of no schema': () => pmml('<Surprise/>'),
    },
  },
  {
    format: 'openvino',
    accept: { graph: () => net(layer('Add')) },
    reject: {
      'an entity of another file': () => net('', ENTITY),
      'a layer of no operator set': () => net(layer('Surprise')),
      'a layer of an extension': () => net(layer('Add', 'custom_opset')),
    },
  },
  {
    format: 'xml',
    accept: { annotations: () => document('<annotation><size><width>4</width></size></annotation>') },
    reject: {
      'an entity of another file': () => document(`${ENTITY}<a/>`),
      'an object graph of Java': () => document('<java class="java.beans.XMLDecoder"><object class="x"/></java>'),
      'a class to be built': () => document('<map><java.lang.ProcessBuilder/></map>'),
      'an element that stays open': () => document('<a><b></a>'),
    },
  },
];

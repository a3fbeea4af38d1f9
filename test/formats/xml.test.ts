import t from 'tap';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';

const DECLARATION = '<?xml version="1.0"?>\n';
const pmml = (inside: string, prolog = DECLARATION): string =>
  `${prolog}<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header copyright="x &amp; y"/>${inside}</PMML>`;
const net = (inside: string, prolog = DECLARATION): string =>
  `${prolog}<net name="m" version="11"><layers>${inside}</layers><edges/></net>`;
const utf16 = (text: string, { big = false, mark = true } = {}): Uint8Array => {
  const body = Buffer.from(mark ? `\ufeff${text}` : text, 'utf16le');
  return new Uint8Array(big ? body.swap16() : body);
};

const TREE = `<DataDictionary numberOfFields="1"><DataField name="a" optype="continuous" dataType="double"/></DataDictionary>
<TransformationDictionary><DefineFunction name="mine" optype="continuous"><ParameterField name="x"/><Apply function="+">
<FieldRef field="x"/><Constant dataType="double">1</Constant></Apply></DefineFunction></TransformationDictionary>
<TreeModel functionName="classification"><Extension name="user" value="someone" extender="R"/><Node score="x"><True/>
<SimplePredicate field="a" operator="lessThan" value="1.5"/><Apply function="mine"><FieldRef field="a"/></Apply></Node>
<ModelVerification><InlineTable><row><a>1</a><anything>2</anything></row></InlineTable></ModelVerification></TreeModel>`;
const LAYER = `<layer id="0" name="c" type="Const" version="opset1"><data element_type="f32" shape="1" offset="0" size="4"/>
<output><port id="0" precision="FP32"><dim>1</dim></port></output></layer><!-- note -->`;

const HONEST: Readonly<Record<string, readonly [string, string | Uint8Array]>> = {
  'tree as PMML': ['pmml', pmml(TREE)],
  'what a pipeline wrote of itself': [
    'pmml',
    pmml('<MiningBuildTask><Extension name="repr">Pipeline(steps=[("c", Tree())])</Extension></MiningBuildTask>'),
  ],
  'PMML in UTF-16': ['pmml', utf16(pmml(TREE, '<?xml version="1.0" encoding="UTF-16"?>'))],
  'PMML in UTF-16 without mark': ['pmml', utf16(pmml(''), { big: true, mark: false })],
  'OpenVINO graph': [
    'openvino',
    net(LAYER, '').replace('<edges/>', '<edges/><rt_info><MO_version value="1"/><x><y/></x></rt_info>'),
  ],
  annotations: ['xml', `${DECLARATION}<annotation><size><width>4</width></size><!-- a --><![CDATA[<b>]]></annotation>`],
  'Latin text': ['xml', bytes('<?xml version="1.0" encoding="ISO-8859-1"?><a>', [0xe9], '</a>')],
};

t.test('honest documents pass in every encoding that is read', async (t) => {
  for (const [name, [format, content]] of Object.entries(HONEST)) {
    const report = reportOf(content);
    t.equal(report.format, format, name);
    t.ok(passes(report), `${name}: ${JSON.stringify(report.findings)}`);
    t.same(rules(report), [], name);
  }
});

const XXE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>';
const ACTIVE: Readonly<Record<string, readonly [string, string | Uint8Array]>> = {
  'external entity': ['pmml.entity', pmml('', XXE)],
  'external entity in UTF-16': ['pmml.entity', utf16(pmml('', DECLARATION + XXE))],
  'external entity in UTF-16 without mark': ['pmml.entity', utf16(pmml('', DECLARATION + XXE), { mark: false })],
  'entity behind a long comment': ['pmml.entity', pmml('', `${DECLARATION}<!--${'x'.repeat(9000)}-->${XXE}`)],
  'parameter entity': ['pmml.entity', pmml('', '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://host.invalid/x"> %p;]>')],
  'growing entities': ['pmml.entity', pmml('', '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]>')],
  'document type from elsewhere': ['pmml.doctype', pmml('', '<!DOCTYPE PMML SYSTEM "http://host.invalid/x.dtd">')],
  'entity in a graph': ['openvino.entity', net('', XXE)],
  'entity in any document': ['xml.entity', `${DECLARATION}${XXE}<a/>`],
  'program in an extension': [
    'pmml.extension-code',
    pmml('<Extension name="s"><![CDATA[import os; os.remove("x")]]></Extension>'),
  ],
  'program in a value': ['pmml.extension-code', pmml('<Extension name="s" value="java.lang.Runtime.getRuntime()"/>')],
  'function that is a class': ['pmml.function-unknown', pmml('<Apply function="com.example.Evil"/>')],
  'script element': ['pmml.element-unknown', pmml('<Extension><script>x</script></Extension>')],
  'object graph of Java': [
    'xml.java-beans',
    `${DECLARATION}<java version="1.8" class="java.beans.XMLDecoder"><object class="x"/></java>`,
  ],
  'proxy of a class': ['xml.java-object', `${DECLARATION}<map><java.lang.ProcessBuilder/></map>`],
  'script in a style sheet': [
    'xml.script',
    `${DECLARATION}<xsl:stylesheet><msxsl:script>x</msxsl:script></xsl:stylesheet>`,
  ],
};

t.test('entities, code and class names are refused', async (t) => {
  for (const [name, [rule, content]] of Object.entries(ACTIVE)) {
    const report = reportOf(content);
    t.ok(rules(report).includes(rule), `${name}: ${rules(report)}`);
    t.equal(worst(report), 'high', name);
  }
});

const DOUBTED: Readonly<Record<string, string | Uint8Array>> = {
  'an element of no schema': pmml('<Surprise/>'),
  'a function of no list': pmml('<Apply function="surprise"/>'),
  'a layer of no opset': net('<layer id="0" name="x" type="Surprise" version="opset1"/>'),
  'a layer of an extension': net('<layer id="0" name="x" type="Add" version="custom_opset"/>'),
  'a layer with a library': net('<layer id="0" name="x" type="Add" version="opset1"><data library="x.so"/></layer>'),
  'a negative offset': net(
    '<layer id="0" name="x" type="Const" version="opset1"><data element_type="f32" offset="-4" size="4"/></layer>',
  ),
  'an element of no graph': net('<surprise/>'),
  'an inclusion': `${DECLARATION}<a><xi:include href="file:///etc/passwd"/></a>`,
  'another encoding': bytes('<?xml version="1.0" encoding="UTF-7"?><a/>'),
  'an encoding that lies': utf16('<?xml version="1.0" encoding="UTF-8"?><a/>'),
  'an unknown entity': pmml('&x;'),
  'a character that is none': pmml('&#x110000;'),
  'an open element': `${DECLARATION}<a><b></a>`,
  'two roots': `${DECLARATION}<a/><b/>`,
  'no root': `${DECLARATION}<!-- a -->`,
  'text behind the root': `${DECLARATION}<a/>x`,
  'an attribute twice': `${DECLARATION}<a b="1" b="2"/>`,
  'too deep': `${DECLARATION}${'<a>'.repeat(2000)}${'</a>'.repeat(2000)}`,
  'two hyphens in a comment': `${DECLARATION}<a><!-- -- --></a>`,
  'a late declaration': `${DECLARATION}<a><?xml version="1.0"?></a>`,
};

t.test('what no reader knows, and what is not well-formed, does not pass', async (t) => {
  for (const [name, content] of Object.entries(DOUBTED)) {
    const report = reportOf(content);
    t.notOk(passes(report), `${name}: ${JSON.stringify(report)}`);
  }
});

t.test('extensions with text are told', async (t) => {
  const report = reportOf(pmml('<Extension name="s">a remark</Extension>'));
  t.same(rules(report), ['pmml.extension']);
  t.ok(passes(report));
});

t.test('cut and turned documents end in a report', async (t) => {
  for (const whole of [pmml(TREE), net(LAYER)]) {
    let passed = 0;
    for (const part of truncations(bytes(whole))) if (part.length > 40 && passes(reportOf(part))) passed += 1;
    t.equal(passed, 0, 'no cut document passes');
    for (const turned of bitFlips(bytes(whole), 300, 7)) t.ok(reportOf(turned).coverage.bytesTotal === whole.length);
  }
});

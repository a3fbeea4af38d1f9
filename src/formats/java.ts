import { complete, type Format, type Inspection } from './format.ts';

/** STREAM_MAGIC and STREAM_VERSION (Java Object Serialization Specification, 6.4.2). */
const MAGIC = [0xac, 0xed, 0x00, 0x05];

/** Serialised Java objects: whoever reads them runs the code of the classes that they name. */
export const javaSerialized: Format = {
  name: 'java-serialized',
  title: 'Java serialised objects (Spark, Weka, Deeplearning4j, H2O)',
  begins: [0xac],
  recognisedBy: 'the bytes AC ED 00 05',
  checks: 'nothing more: reading the stream constructs objects of any class that it names',
  references: ['https://docs.oracle.com/en/java/javase/21/docs/specs/serialization/protocol.html', 'CWE-502'],
  recognise: (head) => MAGIC.every((byte, index) => head[index] === byte),
  inspect(source, context): Inspection {
    context.report({
      rule: 'java-serialized.stream',
      severity: 'high',
      message: 'Java objects: reading them runs code of the classes that they name',
      offset: 0,
      refs: ['CWE-502', 'AML.T0010', 'LLM03:2025'],
    });
    return { format: 'java-serialized', content: 'active', coverage: complete(source.size) };
  },
};

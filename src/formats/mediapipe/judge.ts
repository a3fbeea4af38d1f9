import { printable, type Severity } from '../format.ts';
import { type Fields, one, text, type Visitor, type Wire } from '../protobuf/walk.ts';
import { DANGERS, EXECUTORS, HANDLERS, INERT } from './names.ts';

/** A model that lies beside the graph, or below it: the program's own assets are named so. */
const BESIDE = /^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[A-Za-z0-9_@.][A-Za-z0-9_@./-]{0,300}\.tflite$/;

/** What a path in the options is for, by the name of its field, and how bad it is that the graph says it. */
const PATHS: Readonly<Record<string, readonly [Severity, string]>> = {
  model_path: ['high', 'the graph names a model elsewhere than beside it'],
  label_map_path: ['medium', 'the graph names a file of labels to read'],
  cached_kernel_path: ['high', 'the graph names a folder to write to'],
  serialized_model_dir: ['high', 'the graph names a folder to write to'],
  cache_dir: ['high', 'the graph names a folder to write to'],
  trace_log_path: ['high', 'the graph names a folder to write to'],
  compiler_plugin_library_path: ['high', 'the graph names a library to load'],
  dispatch_library_path: ['high', 'the graph names a library to load'],
};

/** Looks at every name in a graph; a name is reported once. */
export const createJudge = (wire: Wire) => {
  const reported = new Set<string>();
  const report = (rule: string, severity: Severity, message: string, offset: number, evidence: string): void => {
    if (reported.has(`${rule} ${evidence}`)) return;
    reported.add(`${rule} ${evidence}`);
    wire.context.report({ rule, severity, message, offset, evidence: printable(evidence) });
  };
  const calculator = (name: string, offset: number): void => {
    if (INERT.has(name)) return;
    const danger = DANGERS.find(([own]) => own.test(name))?.[1];
    if (danger !== undefined) report('mediapipe.calculator', 'high', `a calculator ${danger}`, offset, name);
    else report('mediapipe.unknown-calculator', 'medium', 'a calculator is on no list of inert ones', offset, name);
  };
  const runner = (known: ReadonlySet<string>, field: string) => (fields: Fields, range: { readonly start: number }) => {
    const name = text(wire, fields, field);
    if (known.has(name)) return;
    report('mediapipe.unknown-calculator', 'medium', 'an executor or a handler is not known', range.start, name);
  };
  const paths = (fields: Fields): void => {
    for (const [field, [severity, message]] of Object.entries(PATHS)) {
      const found = one(fields, field);
      const path = text(wire, fields, field);
      if (found === undefined || path === '') continue;
      if (field === 'model_path' && BESIDE.test(path))
        report('mediapipe.model', 'info', 'the graph names a model beside it', found.at, path);
      else report('mediapipe.path', severity, message, found.at, path);
    }
  };
  const withPaths = ['Inference', 'FaceDetectionOptions', 'TensorsToClassification', 'Gpu', 'Nnapi', 'Npu', 'Profiler'];
  const visitor: Visitor = {
    ...Object.fromEntries(withPaths.map((message) => [message, paths])),
    Executor: runner(EXECUTORS, 'type'),
    InputStreamHandler: runner(HANDLERS, 'input_stream_handler'),
    OutputStreamHandler: runner(HANDLERS, 'output_stream_handler'),
  };
  return { report, calculator, visitor };
};

export type Judge = ReturnType<typeof createJudge>;

/** Classes of weakness that many rules share, by their ids: OWASP LLM 2025, MITRE ATLAS 5.6, NIST AI 100-2 E2025, CWE. */
const SUPPLY = ['LLM03:2025', 'AML.T0010', 'NISTAML.05'];
export const UNPICKLING = ['CWE-502', 'AML.T0011.000', ...SUPPLY];
export const CODE = ['CWE-94', 'AML.T0011.000', ...SUPPLY];
export const FOREIGN_CODE = ['CWE-829', 'AML.T0011.000', ...SUPPLY];
export const CONFUSION = ['CWE-436', 'AML.T0076', ...SUPPLY];
export const BROKEN = ['CWE-20', 'AML.T0076', ...SUPPLY];
export const BOUNDS = ['CWE-125', 'CWE-190', ...SUPPLY];
export const EXHAUSTION = ['CWE-400', 'AML.T0029', 'LLM10:2025', 'NISTAML.01'];
export const PATHS = ['CWE-22', ...SUPPLY];
export const LINKS = ['CWE-59', ...SUPPLY];
export const HIDDEN = ['CWE-506', 'AML.T0018.002', ...SUPPLY];
export const OPAQUE = [...SUPPLY];
export const INJECTION = ['LLM01:2025', 'AML.T0051.001', 'NISTAML.015'];
export const TEMPLATE = ['CWE-1336', 'LLM05:2025', 'AML.T0010', 'NISTAML.05'];
export const MARKUP = ['CWE-79', 'LLM05:2025'];
export const SECRET = ['CWE-798', 'LLM02:2025', 'AML.T0055'];
export const POISONED = ['LLM04:2025', 'AML.T0018.000', 'NISTAML.023'];
export const ENTITIES = ['CWE-611', 'CWE-776', ...SUPPLY];

/** What findings of many kinds lead to. */
export const RUNS =
  'Whoever loads the file runs what its author chose, with their own rights and before any weight is used.';
export const UNKNOWN_RUNS =
  'Nobody has shown that loading it runs nothing else: what is on no list is not taken for harmless.';
export const READERS_DIFFER =
  'A scanner and a loader may see two different files in it, which is how attacks pass scanners.';
export const OVERREAD =
  'Loaders that trust the number read or write outside their memory, or make their own data wrong.';
export const FLOOD = 'It uses up memory or time of whoever opens it, and the rest of the file was not looked at.';
export const UNSEEN = 'What cannot be read cannot be judged: anything may be in it.';
export const ESCAPES = 'An extractor or loader that follows it reads or overwrites files outside its folder.';
export const RENDERED = 'Rendering the template on a server without a sandbox runs code there.';
export const OBEYED = 'A model that reads it may follow it instead of its user, with every tool that it was given.';
export const SERVED_CODE = 'Importing or running it does this with the rights of whoever loads the model.';
export const NOT_WRITTEN = 'No writer of this format makes it: the file was made or changed by hand.';

export const GRAPH_RUNS = 'A graph or program in a model file runs as soon as the model is asked for an answer.';

/** What to do about findings of many kinds. */
export const DELETE =
  'Do not load it. Remove it, tell who published it, and take the weights from a safe format or another source.';
export const ASK = 'Do not load it before somebody has read what it names; prefer a file in safetensors format.';
export const AGAIN =
  'Fetch it again and compare its digest; if it stays as it is, ask its author for a file that is whole.';
export const REPACK = 'Do not extract or load it. Ask its author for an archive that ordinary tools write.';
export const READ =
  'Read the code at this place before anything imports or runs it, and pin the revision that was read.';
export const KNOW = 'Nothing, unless the file matters to you: then look at the place that is named.';
export const CLEAN =
  'Take the passage out, or keep the file away from models and pages that would read it as an instruction.';
export const OPEN = 'Ask for the content in an open format that can be inspected, or let a person approve this digest.';

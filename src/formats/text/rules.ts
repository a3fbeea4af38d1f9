import type { Budget } from '../../bytes/limits.ts';
import { createOffsets } from '../../bytes/utf8.ts';
import type { Remark } from '../../content/remark.ts';
import { secretIn } from '../../content/secrets.ts';
import { downloadsAndRuns } from '../../content/shell.ts';
import { dangerousTarget, judgeTarget } from '../../content/targets.ts';
import { printable, type Severity } from '../format.ts';

/** Markup that a browser runs when a page shows the text. */
const MARKUP = ['<script', '<iframe', '<object', '<embed', 'javascript:', ' onerror=', ' onload='];
/** Options and forms of requirements that fetch packages from somewhere else than the configured index. */
const SOURCES = [
  '--index-url',
  '--extra-index-url',
  '--find-links',
  '--trusted-host',
  '-i http',
  '-f http',
  '-e http',
  '-r http',
  '--editable',
];
/** Characters that cost a step: the rules read text at some 20 MB a second, and data sets have hundreds. */
const CHARACTERS = 64;
/** What a block has when a rule about one of its lines can apply. */
const WORTH_LINES =
  /--(?:index|extra|find|trusted)|-[if] http|@\s{0,4}https?:|(?:git|hg|svn)\+|!!python|_target_|\btarget\b|class_path|[=+@-](?:cmd\||[A-Z]{0,20}DDE|HYPERLINK\(|WEBSERVICE\(|IMPORT[A-Z]{1,10}\()/i;
/** Characters of a line that rules look at. */
const LINE = 4096;

/** Takes what looking at so many characters costs from the budget. */
export const spendOn = (characters: number, budget: Budget): void =>
  budget.spend('steps', Math.ceil(characters / CHARACTERS));

/** What stands in a block of plain text: a model card, a requirements file, a Dockerfile, YAML, a data file. */
export const checkText = (text: string, budget: Budget): Remark[] => {
  spendOn(text.length, budget);
  const remarks: Remark[] = [];
  const offsetOf = createOffsets(text);
  const say = (
    rule: string,
    severity: Severity,
    message: string,
    at: number,
    evidence: string,
    refs: readonly string[],
  ): void => {
    remarks.push({ rule, severity, message, offset: offsetOf(at), evidence: printable(evidence), refs });
  };
  const command = downloadsAndRuns(text);
  if (command !== undefined) {
    say('text.download-and-run', 'low', 'tells its reader to fetch a program and run it', 0, command, ['CWE-494']);
  }
  const secret = secretIn(text);
  if (secret !== undefined) say('text.secret', 'low', `holds a credential: ${secret}`, 0, '', ['CWE-798']);
  const lower = text.toLowerCase();
  const markup = MARKUP.find((mark) => lower.includes(mark));
  if (markup !== undefined) {
    const at = lower.indexOf(markup);
    say('text.active-markup', 'low', 'contains markup that a page would run', at, text.slice(at, at + 120), ['CWE-79']);
  }
  if (lower.includes('<!entity')) {
    say('text.entity', 'high', 'declares XML entities', lower.indexOf('<!entity'), '<!ENTITY', ['CWE-611', 'CWE-776']);
  }
  if (!WORTH_LINES.test(text)) return remarks;
  let folded = '';
  for (const { line: written, at } of linesOf(text)) {
    // YAML lets a value stand on the line after its key.
    const line = folded + written;
    folded = /_target_["']?\s{0,8}:\s{0,80}(?:#[^\n]{0,200})?$/.test(written.slice(-300)) ? '_target_: ' : '';
    const entry = line.replace(/^\s{0,40}-\s{1,8}(?=-)/, '');
    if (
      SOURCES.some((option) => entry.startsWith(option)) ||
      /^[\w.[\],-]{1,80}\s{0,4}@\s{0,4}https?:/.test(line) ||
      /(?:^|@\s{0,4})(?:git|hg|svn)\+[a-z]{2,6}:/.test(line)
    ) {
      say('text.package-source', 'low', 'installs packages from outside the index', at, line, [
        'CWE-427',
        'LLM03:2025',
      ]);
    }
    if (line.includes('!!python/')) {
      say('yaml.python-tag', 'high', 'a YAML tag constructs a Python object', at, line, ['CWE-502', 'CVE-2020-14343']);
    }
    checkYamlTarget(line, at, say);
    if (/(?:^|[,;\t"'])[=+@-](?:cmd\||[A-Z]{0,20}DDE|HYPERLINK\(|WEBSERVICE\(|IMPORT[A-Z]{1,10}\()/i.test(line)) {
      say('text.formula', 'low', 'a cell is a formula that a spreadsheet runs', at, line, ['CWE-1236']);
    }
  }
  return remarks;
};

type Say = (
  rule: string,
  severity: Severity,
  message: string,
  at: number,
  evidence: string,
  refs: readonly string[],
) => void;

/** `_target_: a.b` of Hydra, in block and flow style. */
const checkYamlTarget = (line: string, at: number, say: Say): void => {
  const other = /^[\s-]{0,80}["']?(?:target|class_path)["']?\s{0,8}:\s{1,80}["']?([\w.]{1,200})/.exec(line)?.[1];
  const danger = other?.includes('.') ? dangerousTarget(other) : undefined;
  if (other !== undefined && danger !== undefined)
    say('config.target', 'high', `a target ${danger}`, at, other, ['CWE-470']);
  const found = line.indexOf('_target_');
  if (found < 0) return;
  const value =
    /^_target_["']?\s{0,8}:\s{0,80}(?:![^\s]{0,40}\s{1,8}|&[^\s]{0,40}\s{1,8})?["']?([^\s"',}#]{1,200})/.exec(
      line.slice(found),
    )?.[1];
  if (value === undefined) return;
  const verdict = judgeTarget(value);
  if (verdict)
    say('config.target', verdict.severity, `_target_ ${verdict.why}`, at, value, ['CVE-2025-23304', 'CWE-470']);
};

const linesOf = function* (text: string): Generator<{ line: string; at: number }> {
  let at = 0;
  while (at < text.length) {
    const feed = text.indexOf('\n', at);
    const end = feed < 0 ? text.length : feed;
    for (let from = at; from < end; from += LINE)
      yield { line: text.slice(from, Math.min(end, from + LINE)), at: from };
    at = end + 1;
  }
};

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { randomFrom } from '../../test/support/pickle-weigh.ts';
import { writeZip } from '../../test/support/zip-writer.ts';
import { type Made, once } from './files.ts';
import { run } from './processes.ts';
import { python } from './python.ts';

/** Ordinary words, the commoner ones first. */
const WORDS =
  `the of and to a in is it you that he was for on are with as his they be at one have this from or had by hot but some
  what there we can out other were all your when up use word how said an each she which do their time if will way about
  many then them would write like so these her long make thing see him two has look more day could go come did my sound no
  most number who over know water than call first people may down side been now find any new work part take get place made
  live where after back little only round man year came show every good me give our under name very through just form much
  great think say help low line before turn cause same mean differ move right boy old too does tell sentence set three want
  air well also play small end put home read hand port large spell add even land here must big high such follow act why ask
  men change went light kind off need house picture try us again animal point mother world near build self earth father
  café naïve résumé München`.split(/\s+/);
/** Sentences with all the words of an order, which none of them is: whoever looks for words must read them. */
const LOOK_ALIKES = [
  'He tried to ignore the noise while she read the instructions aloud once more.',
  'Please disregard my earlier mail; the previous rules of the game still apply here.',
  'Forget it, the instructions came with the box and nobody follows all of them anyway.',
  'The teacher said: show your work, and never overwrite the original text of the prompt.',
];

/** Rows that are written at a time. */
const ROWS = 1000;

/** A data set of instructions as JSON Lines, the same for the same name; in look-alikes every row has one. */
export const jsonLinesFile = (rows: number, kind: 'clean' | 'look-alikes'): Made =>
  once(`dataset-${kind}-${rows}.jsonl`, (write) => {
    const random = randomFrom(rows);
    const word = (): string => WORDS[Math.floor(random() * random() * WORDS.length)] ?? 'the';
    const sentence = (length: number): string => {
      const text = Array.from({ length }, word).join(' ');
      return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
    };
    const row = (id: number): string => {
      const count = 1 + Math.floor(random() * 3);
      const sentences = Array.from({ length: count }, () => sentence(6 + Math.floor(random() * 12)));
      if (kind === 'look-alikes') sentences.push(LOOK_ALIKES[id % LOOK_ALIKES.length] ?? '');
      return JSON.stringify({
        id,
        instruction: sentence(8),
        input: random() < 0.5 ? '' : sentence(10),
        output: sentences.join(random() < 0.2 ? '\n' : ' '),
        score: Math.round(random() * 1000) / 1000,
        source: `set-${Math.floor(random() * 5)}`,
      });
    };
    for (let id = 0; id < rows; id += ROWS)
      write(Buffer.from(Array.from({ length: Math.min(ROWS, rows - id) }, (_, at) => `${row(id + at)}\n`).join('')));
  });

const CONVERT = `
import sys, pyarrow.json as json, pyarrow.parquet as parquet, pyarrow.csv as csv
table = json.read_json(sys.argv[1])
parquet.write_table(table, sys.argv[2] + '.parquet')
csv.write_csv(table, sys.argv[2] + '.csv')
`;

/** The same rows as Parquet, as pyarrow writes it when it is told nothing, and as CSV. */
export const convertedFiles = ({ file }: Made): { readonly parquet: string; readonly csv: string } => {
  const base = file.replace(/\.jsonl$/, '');
  const [parquet, csv] = [`${base}.parquet`, `${base}.csv`];
  if (!existsSync(parquet) || !existsSync(csv))
    run(join(python('pyarrow', ['pyarrow==26.0.1']), 'python'), ['-c', CONVERT, file, base]);
  return { parquet, csv };
};

/** A dataset of one small text for each example, as archives of samples and labels hold them. */
export const archiveOfTexts = (members: number): Made =>
  once(`texts-${members}.zip`, (write) => {
    const text = (index: number) => ({
      name: `data/sample_${index}.txt`,
      data: `label ${index % 10}: value ${index * 7}\n`,
    });
    write(writeZip(Array.from({ length: members }, (_, index) => text(index))));
  });

import { parseArgs } from 'node:util';
import { readEntries } from '../../audit/reader.ts';
import { redactEntry } from '../../audit/redaction.ts';
import { loadConfig } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import { layout } from '../../store/layout.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { HERE, openAlone } from '../desk/alone.ts';
import { wrong } from './options.ts';

/** `weighbridge log redact`: takes one entry out of the log of a gateway that does not run. */
export const redact = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { reason: { type: 'string' }, config: { type: 'string' }, data: { type: 'string' } },
  });
  const [wanted, ...others] = positionals;
  if (wanted === undefined || others.length > 0) throw wrong('redact takes one entry, by its position or its id');
  if (values.reason === undefined || values.reason.trim() === '') throw wrong('--reason says why');
  const config = loadConfig({ file: values.config, overrides: { data: values.data } });
  const directory = layout(config.data).log;
  // The entry that says so begins a segment: only in one that has ended a line can be left empty.
  const alone = await openAlone(config, { rotate: 1 });
  if (alone === undefined)
    throw new WeighbridgeError('REQUEST_INVALID', `a gateway runs on ${config.data}: stop it, redact, start it again`);
  try {
    const position = /^\d{1,15}$/.test(wanted) ? Number(wanted) : await positionOf(directory, wanted);
    const { kind, time } = await redactEntry(directory, alone.log, position, {
      reason: values.reason,
      actor: alone.log.pseudonym(HERE.name),
    });
    io.stdout.write(`entry ${position} (${kind} of ${time}) is taken out; its leaf hash stays, and the log says so\n`);
    return EXIT.ok;
  } finally {
    await alone.close();
  }
};

const positionOf = async (directory: string, id: string): Promise<number> => {
  for await (const { entry, index } of readEntries(directory)) if (entry.id === id) return index;
  throw new WeighbridgeError('NOT_FOUND', `the log has no entry with the id ${id}`);
};

import { join } from 'node:path';
import { createAccessLog } from '../../audit/access-log.ts';
import type { AccessLog } from '../../audit/types.ts';
import type { Config } from '../../config.ts';
import { openRecordsAlone } from '../../store/store.ts';
import type { Records } from '../../store/types.ts';

/** How the log calls whoever works on the data folder itself. */
export const HERE = { name: 'command line' };

/** The data folder of a gateway that does not run. */
export type Alone = { readonly records: Records; readonly log: AccessLog; close(): Promise<void> };

/** Opens records and log of the data folder of `config`; undefined while a gateway runs there. */
export const openAlone = async (
  config: Config,
  options: { readonly rotate?: number } = {},
): Promise<Alone | undefined> => {
  const store = await openRecordsAlone(config.data);
  if (store === undefined) return undefined;
  const { records } = store;
  const remember = (pseudonym: string, value: string): void => {
    records.add('person', pseudonym, { value, at: Date.now() }).catch(() => undefined);
  };
  try {
    const directory = join(config.data, 'log');
    const log = await createAccessLog({ ...options, directory, origin: config.log.origin, remember });
    const close = async (): Promise<void> => {
      await log.close();
      await store.close();
    };
    return { records, log, close };
  } catch (error) {
    await store.close();
    throw error;
  }
};

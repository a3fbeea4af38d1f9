import t from 'tap';
import { openVault } from '../../src/gateway/vault.ts';
import { createMemoryRecords } from '../support/memory-records.ts';

const key = new Uint8Array(32).fill(7);

t.test('a credential is kept encrypted, and had again by its team alone', async (t) => {
  const records = createMemoryRecords();
  const vault = await openVault(records, key);
  await vault.set('huggingface', 'speech', 'hf_first', 'p_1');
  await vault.set('huggingface', 'speech', 'hf_second', 'p_2');
  await vault.set('huggingface', 'vision', 'hf_second', 'p_2');
  for (const one of [vault, await openVault(records, key)]) {
    t.equal(one.get('huggingface', 'speech'), 'hf_second');
    t.equal(one.get('huggingface', 'nobody'), undefined);
    t.equal(one.get('pypi', 'speech'), undefined);
    t.match(one.list(), [{ upstream: 'huggingface', team: 'speech', by: 'p_2' }, { team: 'vision' }]);
    t.notMatch(JSON.stringify(one.list()), /hf_|sealed/);
  }
  const kept = await records.list('credential', '', 10);
  t.notMatch(JSON.stringify(kept), /hf_second|aGZfc2Vjb25k/);
  t.not(kept[0]?.value.sealed, kept[1]?.value.sealed, 'equal secrets do not look equal');
  t.ok(await vault.remove('huggingface', 'speech'));
  t.notOk(await vault.remove('huggingface', 'speech'));
  t.equal((await openVault(records, key)).get('huggingface', 'speech'), undefined);
});

t.test('another key, a changed byte and an exchanged place are found at the start', async (t) => {
  const records = createMemoryRecords();
  const vault = await openVault(records, key);
  await vault.set('huggingface', 'speech', 'hf_secret_of_speech', 'p_1');
  await t.rejects(openVault(records, new Uint8Array(32)), { code: 'CONFIG_INVALID', message: /huggingface\/speech/ });
  const sealed = await records.get('credential', 'huggingface/speech');
  if (sealed === undefined) throw new Error('nothing was kept');
  const forged = async (place: string, text: string): Promise<void> => {
    const other = createMemoryRecords();
    await other.put('credential', place, { ...sealed, sealed: text });
    await t.rejects(openVault(other, key), { code: 'CONFIG_INVALID' }, place);
  };
  await forged('huggingface/thieves', sealed.sealed);
  for (const at of [0, 12, 20]) {
    const bytes = Buffer.from(sealed.sealed, 'base64');
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await forged('huggingface/speech', bytes.toString('base64'));
  }
  for (const short of ['', 'AAAA', sealed.sealed.slice(0, 30)]) await forged('huggingface/speech', short);
});

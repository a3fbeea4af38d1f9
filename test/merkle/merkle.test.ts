import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, sign, verify } from 'node:crypto';
import t from 'tap';
import {
  checkpointText,
  createVerifierKey,
  formatNote,
  formatVerifierKey,
  openCheckpoint,
  parseNote,
  parseVerifierKey,
} from '../../src/merkle/checkpoint.ts';
import { createFrontier } from '../../src/merkle/frontier.ts';
import { createTreeHash } from '../../src/merkle/hash.ts';
import {
  type NodeAt,
  proveConsistency,
  proveInclusion,
  rangeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../../src/merkle/proofs.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
const tree = createTreeHash(sha256);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** MTH of RFC 6962 section 2.1, written down as it stands there. */
const reference = (leaves: readonly Uint8Array[]): Uint8Array => {
  if (leaves.length === 0) return sha256(new Uint8Array());
  if (leaves.length === 1) return leaves[0]!;
  const k = 2 ** (Math.ceil(Math.log2(leaves.length)) - 1);
  return sha256(Buffer.concat([Buffer.of(1), reference(leaves.slice(0, k)), reference(leaves.slice(k))]));
};

// The eight inputs and roots of the Certificate Transparency test data.
const CT_LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const CT_ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

t.test('the tree has the roots of the Certificate Transparency test data', async (t) => {
  const frontier = createFrontier(tree);
  t.equal(hex(frontier.root()), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  for (const [index, leaf] of CT_LEAVES.entries()) {
    frontier.append(tree.leaf(Buffer.from(leaf, 'hex')));
    t.equal(hex(frontier.root()), CT_ROOTS[index]);
  }
});

t.test('every proof of every tree up to 40 leaves holds, and no other does', async (t) => {
  const leaves = Array.from({ length: 40 }, (_, index) => tree.leaf(Buffer.from(`entry ${index}`)));
  const at: NodeAt = (level, index) => reference(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
  const frontier = createFrontier(tree);
  let [accepted, wrong] = [0, 0];
  for (let size = 1; size <= leaves.length; size += 1) {
    frontier.append(leaves[size - 1]!);
    const root = reference(leaves.slice(0, size));
    if (hex(frontier.root()) !== hex(root) || hex(rangeRoot(tree, at, 0, size)) !== hex(root)) wrong += 1;
    const resumed = createFrontier(tree, size, frontier.nodes());
    if (hex(resumed.root()) !== hex(root)) wrong += 1;
    for (let index = 0; index < size; index += 1) {
      const proof = proveInclusion(tree, at, index, size);
      if (verifyInclusion(tree, leaves[index]!, index, size, proof, root)) accepted += 1;
      if (verifyInclusion(tree, leaves[(index + 1) % 40]!, index, size, proof, root)) wrong += 1;
      if (verifyInclusion(tree, leaves[index]!, (index + 1) % size, size, proof, root) && size > 1) wrong += 1;
      if (verifyInclusion(tree, leaves[index]!, index, size, [...proof, root], root)) wrong += 1;
      if (proof.length > 0 && verifyInclusion(tree, leaves[index]!, index, size, proof.slice(1), root)) wrong += 1;
    }
    for (let first = 0; first <= size; first += 1) {
      const proof = proveConsistency(tree, at, first, size);
      const older = reference(leaves.slice(0, first));
      if (verifyConsistency(tree, first, size, older, root, proof)) accepted += 1;
      if (verifyConsistency(tree, first, size, sha256(older), root, proof)) wrong += 1;
      if (first > 0 && verifyConsistency(tree, first, size, older, sha256(root), proof)) wrong += 1;
      if (verifyConsistency(tree, first, size, older, root, [...proof, root])) wrong += 1;
      if (proof.length > 0 && verifyConsistency(tree, first, size, older, root, proof.slice(0, -1))) wrong += 1;
    }
  }
  t.equal(accepted, (40 * 41) / 2 + (40 * 43) / 2);
  t.equal(wrong, 0);
  t.throws(() => proveInclusion(tree, at, 40, 40), { code: 'LIMIT_EXCEEDED' });
  t.throws(() => createFrontier(tree, 3, []), { code: 'FORMAT_INVALID' });
});

const pair = generateKeyPairSync('ed25519');
const raw = (key = pair.publicKey): Uint8Array => key.export({ format: 'der', type: 'spki' }).subarray(-32);
const check = (publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean => {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return verify(null, text, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
};

t.test('a checkpoint is opened only with the key that signed it, under its own name', async (t) => {
  const key = createVerifierKey('log.example/a', raw(), sha256);
  const text = checkpointText({ origin: 'log.example/a', size: 7, root: sha256(Buffer.of(1)) });
  const note = formatNote(text, key, sign(null, Buffer.from(text), pair.privateKey));
  t.match(openCheckpoint(note, key, check), { origin: 'log.example/a', size: 7 });
  const other = createVerifierKey('log.example/a', raw(generateKeyPairSync('ed25519').publicKey), sha256);
  t.equal(openCheckpoint(note, other, check), undefined);
  t.equal(openCheckpoint(note, createVerifierKey('log.example/b', raw(), sha256), check), undefined);
  // The right name and id over a signature by another key: key-name collision.
  t.equal(openCheckpoint(note, { ...other, id: key.id }, check), undefined);
  t.equal(openCheckpoint(note.replace('\n7\n', '\n8\n'), key, check), undefined);
  const cosigned = `${note}— witness.example/w ${Buffer.alloc(76, 9).toString('base64')}\n`;
  t.match(openCheckpoint(cosigned, key, check), { size: 7 }, 'unknown signatures are ignored');
  t.same(parseVerifierKey(formatVerifierKey(key), sha256), key);
});

t.test('malformed notes and keys are refused', async (t) => {
  const key = createVerifierKey('log', raw(), sha256);
  const text = checkpointText({ origin: 'log', size: 1, root: sha256(Buffer.of(1)) });
  const note = formatNote(text, key, sign(null, Buffer.from(text), pair.privateKey));
  const bad = [
    '',
    text,
    note.slice(0, -1),
    note.replaceAll('\n', '\r\n'),
    note.replace('\n1\n', '\n01\n'),
    note.replace('\n1\n', '\n-1\n'),
    note.replace('\n1\n', '\n99999999999999999999\n'),
    note.replace(/=\n/, '\n'),
    note.replace('— ', '- '),
    note.replace('log\n', '\n'),
    `${note}\n`,
    note + 'x'.repeat(20_000),
  ];
  for (const one of bad) t.throws(() => parseNote(one), { code: 'FORMAT_INVALID' }, JSON.stringify(one.slice(0, 60)));
  const vkey = formatVerifierKey(key);
  const otherType = `log+${hex(key.id)}+${Buffer.of(2, ...raw()).toString('base64')}`;
  const zeroId = vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+');
  for (const one of ['', 'log', zeroId, vkey.slice(0, -4), otherType]) {
    t.throws(() => parseVerifierKey(one, sha256), { code: 'FORMAT_INVALID' }, one);
  }
  t.throws(() => createVerifierKey('a b', raw(), sha256), { code: 'FORMAT_INVALID' });
});

t.test('the signed note of a fixed key is what C2SP describes', async (t) => {
  // RFC 8032 section 7.1, test 1: a published key pair, so that any other implementation can repeat this.
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const key = createVerifierKey('example.com/log', raw(createPublicKey(privateKey)), sha256);
  const id = hex(sha256(Buffer.concat([Buffer.from('example.com/log\n\x01'), raw(createPublicKey(privateKey))]))).slice(
    0,
    8,
  );
  t.equal(formatVerifierKey(key).split('+')[1], id);
  const text = checkpointText({ origin: 'example.com/log', size: 0, root: tree.empty() });
  t.equal(text, 'example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n');
  const note = formatNote(text, key, sign(null, Buffer.from(text), privateKey));
  t.match(openCheckpoint(note, key, check), { size: 0 });
});

import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { BLOCK, isTarHeader, readHeader } from '../tar/header.ts';
import { readTar, type Tar, type TarMember } from '../tar/read.ts';

/** The members of a checkpoint in the tar form from before PyTorch 0.1.10 (torch/serialization.py, `_legacy_load`). */
export const PARTS = ['sys_info', 'pickle', 'storages', 'tensors'] as const;
export type TorchTarParts = Readonly<Record<(typeof PARTS)[number], TarMember>>;

const isPart = (name: string): boolean => PARTS.some((part) => part === name);

/** The four members, when the archive has each of them exactly once, as a whole file; what else it has does not matter. */
export const partsOf = ({ members, fault }: Tar): TorchTarParts | undefined => {
  const only = (part: string): TarMember | undefined => {
    const [first, second] = members.filter(({ name }) => name === part);
    return first?.kind === 'file' && second === undefined ? first : undefined;
  };
  const [system, pickle, storages, tensors] = PARTS.map(only);
  if (fault !== undefined || system === undefined || pickle === undefined) return undefined;
  if (storages === undefined || tensors === undefined) return undefined;
  return { sys_info: system, pickle, storages, tensors };
};

/** True for a tar archive that begins with one of the four members and has them all. `head` is its beginning. */
export const isTorchTar = (head: Uint8Array, source: RandomAccess): boolean => {
  if (!isTarHeader(head)) return false;
  // The first name tells apart shards of data, whose many headers are read once only.
  return isPart(readHeader(head.subarray(0, BLOCK), 0).name) && partsOf(readTar(source)) !== undefined;
};

/** The bytes of a member; one that is cut ends with the source. */
export const bytesOfPart = (source: RandomAccess, { data, size }: TarMember): RandomAccess =>
  section(source, Math.min(data, source.size), Math.min(data + size, source.size));

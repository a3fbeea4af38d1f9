import type { Format } from '../format.ts';
import { kerasArchive } from '../keras/archive.ts';
import { h2oMojo } from '../mojo/mojo.ts';
import { npz } from '../numpy/npz.ts';
import { torchDistributed } from '../torch/distributed.ts';
import { torchPackage } from '../torch/package.ts';
import { torchZip } from '../torch/torch-zip.ts';
import { torchscript } from '../torch/torchscript.ts';
import { torchExport } from '../torch-export/torch-export.ts';

/** Formats that are a zip with certain members: an archive is one of them, by `zipRole`, or a plain zip. */
export const zipFamilies: readonly Format[] = [
  torchZip,
  torchDistributed,
  torchPackage,
  npz,
  kerasArchive,
  torchscript,
  torchExport,
  h2oMojo,
];

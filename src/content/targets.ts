import type { Severity } from '../formats/format.ts';
import { dangerOf } from './python/names.ts';

/**
 * Libraries whose classes configurations name all the time: constructing one of them runs no code of the repository.
 * Functions of theirs that load or run something are still dangerous (python/names.ts).
 */
const LIBRARIES = new Set(
  `torch torchvision torchaudio transformers diffusers sentence_transformers accelerate peft timm tokenizers datasets
   lightning pytorch_lightning nemo omegaconf monai torchmetrics torchdata einops xformers flair speechbrain espnet
   pyannote keras tensorflow tf_keras optimum`.split(/\s+/),
);
const BUILTINS = new Set(['eval', 'exec', 'compile', 'open', '__import__', 'getattr', 'setattr', 'input']);

/** How bad it is that a configuration makes its loader call `path`; nothing when it is a class of a known library. */
export const judgeTarget = (path: string): { readonly severity: Severity; readonly why: string } | undefined => {
  const name = path.trim();
  const plain = name.replace(/^(?:builtins|__builtin__)\./, '');
  const danger = BUILTINS.has(plain) ? 'runs or opens what it is given' : dangerOf(name)?.what;
  if (danger !== undefined) return { severity: 'high', why: danger };
  const parts = name.split('.');
  if (parts.some((part) => part.startsWith('_') || !/^[A-Za-z0-9_]+$/.test(part))) {
    return { severity: 'high', why: 'is not a plain name of a class' };
  }
  if (!LIBRARIES.has(parts[0] ?? '')) return { severity: 'medium', why: 'is not part of a known library' };
  return /^[A-Z]/.test(parts.at(-1) ?? '') ? undefined : { severity: 'low', why: 'is a function, not a class' };
};

/** True when a relative path leads out of its folder, or is absolute. */
export const escapes = (path: string): boolean =>
  path.startsWith('/') ||
  path.startsWith('\\') ||
  /^[A-Za-z]:[\\/]/.test(path) ||
  path.split(/[\\/]/).includes('..') ||
  path.includes('\0');

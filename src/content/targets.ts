import type { Severity } from '../formats/format.ts';
import { attackOf } from '../formats/pickle/attacks.ts';
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

/** Functions of those libraries that only build a model or compute something. */
const HARMLESS =
  /^(?:torch\.nn\.(?:functional|init)|torchvision\.models(?:\.\w+)*|torchvision\.transforms\.functional|timm\.models(?:\.\w+)*)\.\w+$|^timm\.create_model$|\.from_(?:pretrained|config)$/;
/** Modules that others import: `torch.os.system` is `os.system`. */
const IMPORTED = new Set(['os', 'sys', 'subprocess', 'builtins', 'importlib', 'posix', 'nt', 'ctypes', 'shutil']);

/** What calling `path` does, when it is known to be dangerous, whatever module it is reached through. */
export const dangerousTarget = (path: string): string | undefined => {
  const parts = path.trim().split('.');
  const root = parts.findLastIndex((part, at) => at < parts.length - 1 && IMPORTED.has(part));
  const name = parts.slice(Math.max(0, root)).join('.');
  const plain = name.replace(/^(?:builtins|__builtin__)\./, '');
  if (BUILTINS.has(plain)) return 'runs or opens what it is given';
  return dangerOf(name)?.what;
};

/** How bad it is that a configuration makes its loader call `path`; nothing when it is a class of a known library. */
export const judgeTarget = (path: string): { readonly severity: Severity; readonly why: string } | undefined => {
  const name = path.trim();
  const danger = dangerousTarget(name);
  if (danger !== undefined) return { severity: 'high', why: danger };
  const parts = name.split('.');
  if (parts.some((part) => part.startsWith('_') || !/^[A-Za-z0-9_]+$/.test(part))) {
    return { severity: 'high', why: 'is not a plain name of a class' };
  }
  if (!LIBRARIES.has(parts[0] ?? '')) return { severity: 'medium', why: 'is not part of a known library' };
  if (/^[A-Z]/.test(parts.at(-1) ?? '')) return undefined;
  if (HARMLESS.test(name)) return { severity: 'low', why: 'is a function, not a class' };
  const attack = attackOf(parts.slice(0, -1).join('.'), parts.at(-1) ?? '');
  if (attack !== undefined) return { severity: 'high', why: attack };
  return { severity: 'medium', why: 'is a function that is not known to be harmless' };
};

/** True when a relative path leads out of its folder, or is absolute. */
export const escapes = (path: string): boolean =>
  path.startsWith('/') ||
  path.startsWith('\\') ||
  /^[A-Za-z]:[\\/]/.test(path) ||
  path.split(/[\\/]/).includes('..') ||
  path.includes('\0');

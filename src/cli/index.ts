import type { Command } from './command.ts';

/**
 * Every command, in the order of `weighbridge --help`. Commands load when they are named, so that `scan` does not wait
 * for the web server. A new command is one file and one line here.
 */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  scan: async () => (await import('./scan.ts')).scan,
  convert: async () => (await import('./convert.ts')).convert,
  warm: async () => (await import('./warm.ts')).warm,
  log: async () => (await import('./log.ts')).log,
  impact: async () => (await import('./impact.ts')).impact,
  policy: async () => (await import('./policy.ts')).policy,
  report: async () => (await import('./report.ts')).report,
  quarantine: async () => (await import('./quarantine.ts')).quarantine,
  doctor: async () => (await import('./doctor.ts')).doctor,
  hold: async () => (await import('./hold.ts')).hold,
  freeze: async () => (await import('./freeze.ts')).freeze,
  'break-glass': async () => (await import('./break-glass.ts')).breakGlass,
  token: async () => (await import('./token.ts')).token,
  account: async () => (await import('./account.ts')).account,
};

/** Where a command reads and writes. Tests hand in their own streams. */
export type CommandIo = {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
};

/** Exit codes of every command: all allowed or done, something refused, could not do it. */
export const EXIT = { ok: 0, refused: 1, failed: 2 } as const;

/** One command of `weighbridge`: one file in `cli/`, one line in `cli/index.ts`. */
export type Command = {
  readonly name: string;
  /** One line for `weighbridge --help`. */
  readonly summary: string;
  /** The text of `weighbridge <name> --help`, without a trailing line break. */
  readonly usage: string;
  /** `args` are what follows the command's name. Resolves with the exit code; a rejection is printed and ends with 2. */
  readonly run: (args: readonly string[], io: CommandIo) => Promise<number>;
};

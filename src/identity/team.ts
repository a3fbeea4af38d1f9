/** Where a caller's team is known from: its token, or only the path that it chose, which proves nothing. */
export type TeamFrom = '' | 'token' | 'path';

/** Whom a caller belongs to; empty where nothing is known. */
export type Belonging = { readonly team: string; readonly environment: string; readonly teamFrom: TeamFrom };

/** The same as an entry of the log has it: without what is not known. */
export const belonging = ({
  team,
  environment,
  teamFrom,
}: Belonging): { team?: string; environment?: string; teamFrom?: 'token' | 'path' } => ({
  ...(team !== '' && { team }),
  ...(environment !== '' && { environment }),
  ...(teamFrom !== '' && { teamFrom }),
});

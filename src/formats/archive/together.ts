import { type Content, type Coverage, type Inspection, incomplete, printable, worseContent } from '../format.ts';

/** What the members of a container were found to be, taken together. */
export type Together = { readonly content: Content; readonly coverage: Coverage };

/** Adds one member's inspection to those before: the worse content, and coverage only if every member has it. */
export const joinMember = (before: Together, member: Inspection | Together, name: string, size: number): Together => ({
  content: worseContent(before.content, member.content),
  coverage:
    before.coverage.state === 'complete' && member.coverage.state !== 'complete'
      ? incomplete('partial', 0, size, `${printable(name, 80)}: ${member.coverage.reason}`)
      : before.coverage,
});

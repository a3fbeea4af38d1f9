import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { type Content, type Context, worseContent } from '../format.ts';

/**
 * Tells what stands behind the end of an image or sound: another reader's file, when some format recognises it.
 * Returns the content that the whole file has because of it.
 */
export const checkTrailing = (source: RandomAccess, end: number, format: string, context: Context): Content => {
  if (end >= source.size) return 'inert';
  const rest = section(source, end, source.size);
  if (
    rest.read(0, Math.min(rest.size, 64)).every((byte) => byte === 0 || byte === 0x0a || byte === 0x0d) &&
    rest.size <= 64
  )
    return 'inert';
  const inner = context.nested(rest, 'behind the end');
  const hidden = inner.format !== 'unknown' && inner.format !== 'text';
  context.report({
    rule: `${format}.trailing`,
    severity: hidden ? 'high' : 'low',
    message: `${rest.size} bytes stand behind the end${hidden ? `, readable as ${inner.format}` : ''}`,
    offset: end,
    refs: ['CWE-434'],
  });
  return hidden ? worseContent('unknown', inner.content) : 'inert';
};

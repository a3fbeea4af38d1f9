/** Bytes that become characters in one call: engines bound the number of arguments. */
const UNITS = 4096;

/** Bytes as characters of the same number (ISO 8859-1), the way names and marks of formats are looked at. */
export const latin1 = (bytes: Uint8Array): string => {
  if (bytes.length <= UNITS) return Reflect.apply(String.fromCharCode, null, bytes);
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += UNITS)
    parts.push(Reflect.apply(String.fromCharCode, null, bytes.subarray(at, at + UNITS)));
  return parts.join('');
};

/** Characters of a line that are looked at together. */
const WINDOW = 4096;

const FETCHERS = ['curl', 'wget', 'fetch ', 'Invoke-WebRequest', 'iwr ', 'irm '];
const INTO_SHELL =
  /\|\s{0,8}(?:sudo\s{1,4}(?:-\S{1,20}\s{1,4})?)?(?:\/usr)?(?:\/bin\/)?(?:env\s{1,4})?(?:ba|z|da|k|c)?(?:sh|python[0-9.]{0,5}|perl|ruby|node|iex)\b/;
const SUBSTITUTED =
  /(?:\b(?:ba|z|da)?sh|\bsource|\beval|\.)\s{1,4}(?:-c\s{1,4})?["']?(?:<\(|\$\(|`)\s{0,4}(?:curl|wget)/;
const OTHERS: readonly (readonly [marker: string, pattern: RegExp])[] = [
  ['/dev/tcp/', /\/dev\/tcp\/[^\s/]{1,100}\/[0-9]{1,5}/],
  ['nc ', /\bnc(?:at)?\s(?:[^|;\n]{0,200}\s)?-[a-z]{0,4}e\s/],
  ['base64', /base64\s{1,4}(?:-d|--decode|-D)[^\n]{0,200}\|\s{0,8}(?:ba|z|da)?sh\b/],
  ['powershell', /powershell[^\n]{0,200}-(?:e|enc|encodedcommand)\s/i],
];

/** One of these stands in every such passage. */
export const fetchMarkers: readonly string[] = [...FETCHERS, ...OTHERS.map(([marker]) => marker)];

/** The passage of `text` that fetches a program and runs it, or opens a shell to elsewhere; nothing otherwise. */
export const downloadsAndRuns = (text: string): string | undefined => {
  const relevant = FETCHERS.some((name) => text.includes(name)) || OTHERS.some(([marker]) => text.includes(marker));
  if (!relevant) return undefined;
  for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
    for (let at = 0; at < line.length; at += WINDOW) {
      const part = line.slice(at, at + WINDOW);
      if (suspicious(part)) return part.trim();
    }
  }
  return undefined;
};

const suspicious = (line: string): boolean => {
  const fetched = FETCHERS.map((name) => line.indexOf(name)).filter((at) => at >= 0);
  if (fetched.length > 0 && INTO_SHELL.test(line.slice(Math.min(...fetched)))) return true;
  if (fetched.length > 0 && SUBSTITUTED.test(line)) return true;
  return OTHERS.some(([marker, pattern]) => line.includes(marker) && pattern.test(line));
};

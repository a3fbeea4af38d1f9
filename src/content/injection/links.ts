import type { Sign } from './verdict.ts';

/** Characters of an address that are looked at. */
const ADDRESS = 600;
/** Links of one text. */
const MOST = 2000;
/** What stands in an address to be filled in. */
const TEMPLATE = /%7B%7B|%24%7B|\{\{|\$\{|\{%|\$\(|<%|\[\[/;
const FIELD =
  /[?&#=/](?:[\w.-]{1,40}=)?(?:\{|<|\[|%7B|%3C|\$|__)\s{0,4}(?:[\w -]{0,40}(?:conversation|history|context|chat|prompt|secret|token|key|passw|cookie|message|data|user|e-?mail|summary|content|session|credential|instruction|answer|response|encoded|base64|info|output|text)[\w -]{0,40})/i;
const CAPITALS = /[?&][\w.-]{1,40}=(?:[A-Z0-9]{2,20}_){1,5}[A-Z0-9]{2,20}(?:[&)#\s]|$)/;
/** Addresses that every page about programming has. */
const DOCUMENTED = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\]|(?:img\.)?shields\.io|badge)/i;

/**
 * Links and images whose address has a place to fill in: whoever renders the answer of a model that filled it in sends
 * what stands there. An image sends it unasked.
 */
export const signsOfLinks = (text: string): Sign[] => {
  const signs: Sign[] = [];
  let looked = 0;
  for (const [marker, image] of [
    ['](', false],
    ['src=', true],
  ] as const) {
    for (let at = text.indexOf(marker); at >= 0 && looked < MOST; at = text.indexOf(marker, at + 1), looked++) {
      const address = addressAt(text, at + marker.length, image);
      if (/^javascript:[^\n]{0,400}(?:cookie|fetch\(|location|localStorage)/i.test(address))
        signs.push({ family: 'sending link', weight: 2, start: at, end: at + marker.length + address.length });
      if (!/^(?:https?:)?\/\//i.test(address) || DOCUMENTED.test(address)) continue;
      const shown = image || isImage(text, at);
      const query = address.search(/[?#]/);
      const asked = query >= 0 ? address.slice(query) : '';
      const filled = TEMPLATE.test(asked) || FIELD.test(asked) || CAPITALS.test(asked);
      const inPath = !filled && shown && (TEMPLATE.test(address) || FIELD.test(address));
      if (!filled && !inPath) continue;
      // Templates of web pages have such images too, under addresses of variables and beside other tags.
      const page = /<(?:div|table|html|body|td|span|head)\b|\{%|<%/i.test(text);
      signs.push({
        family: 'sending link',
        weight: page ? 1 : filled && (shown || FIELD.test(asked) || TEMPLATE.test(asked)) ? 3 : 1,
        start: Math.max(0, text.lastIndexOf(image ? '<' : '[', at)),
        end: at + marker.length + address.length,
      });
    }
  }
  return signs;
};

const addressAt = (text: string, start: number, quoted: boolean): string => {
  const rest = text.slice(start, start + ADDRESS);
  const plain = quoted ? rest.replace(/^["']/, '') : rest.replace(/^\s{0,8}<?/, '');
  const end = plain.search(quoted ? /["'>\n]/ : /[)\n]/);
  return end < 0 ? plain : plain.slice(0, end);
};

/** Whether the link that ends at `at` is an image: `![…]`. */
const isImage = (text: string, at: number): boolean => {
  const opened = text.slice(Math.max(0, at - 200), at).lastIndexOf('[');
  return opened > 0 && text.charAt(Math.max(0, at - 200) + opened - 1) === '!';
};

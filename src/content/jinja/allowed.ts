/**
 * What chat templates use. Everything else is a finding: Jinja reaches Python objects through attributes, so only a
 * list of what is known to be harmless decides. Names: Jinja 3.1 (templates documentation, builtin filters and tests)
 * and what Hugging Face transformers adds to its chat template environment.
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

export const STATEMENTS = words(`
  if elif else endif for endfor set endset macro endmacro call endcall filter endfilter break continue
  generation endgeneration raw endraw with endwith do
`);

/** Statements that load another template, from wherever the environment's loader looks. */
export const LOADING_STATEMENTS = words('include import from extends');

export const FILTERS = words(`
  abs batch bool capitalize center count d default dictsort e escape filesizeformat first float forceescape from_json
  fromjson groupby indent int items join last length list lower map max min pprint reject rejectattr replace reverse
  round safe select selectattr slice sort split string striptags sum title tojson trim truncate unique upper urlencode
  wordcount wordwrap
`);

/** Filters whose `attribute` (or first) argument names an attribute of every element. */
export const ATTRIBUTE_FILTERS = words('map select reject selectattr rejectattr groupby sort sum unique min max join');

/** Of those, the ones that take a filter's or test's name as first positional argument. */
export const NAMING_FILTERS = words('map select reject');

export const TESTS = words(`
  boolean callable defined divisibleby eq equalto escaped even false filter float ge greaterthan gt in integer iterable
  le lessthan lower lt mapping ne none number odd sameas sequence string test true undefined upper
`);

export const FUNCTIONS = words('raise_exception strftime_now namespace range dict zip enumerate len caller tojson');

export const METHODS = words(`
  append capitalize casefold center clear copy count cycle endswith extend find get index insert isalnum isalpha
  isascii isdecimal isdigit islower isnumeric isspace istitle isupper items join keys ljust lower lstrip partition pop
  remove removeprefix removesuffix replace reverse rfind rindex rjust rpartition rsplit rstrip setdefault sort split
  splitlines startswith strftime strip swapcase title update upper values
`);

/** Methods that evaluate a format string, which reads attributes: the way out of a sandbox (CVE-2016-10745). */
export const FORMATTERS = words('format format_map');

/** Objects that a Jinja or web environment adds and that lead to its modules when their attributes are walked. */
export const GADGETS = words(`
  self request config lipsum cycler joiner g url_for get_flashed_messages session application environ environment
  context os sys subprocess eval exec open compile getattr globals locals vars builtins importlib popen
`);

/** Attributes without a leading underscore that lead from a value to code (Jinja's own sandbox refuses them). */
export const UNSAFE_ATTRIBUTES = words(`
  mro gi_frame gi_code gi_yieldfrom cr_frame cr_code cr_await ag_frame ag_code tb_frame tb_next f_globals f_locals
  f_builtins f_back f_code func_globals func_code func_closure func_dict func_defaults im_class im_func im_self
  co_code co_consts
`);

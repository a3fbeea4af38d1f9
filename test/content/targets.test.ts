import t from 'tap';
import { judgeTarget } from '../../src/content/targets.ts';

const JUDGED: Readonly<Record<string, 'high' | 'medium' | 'low' | 'none'>> = {
  'torch.nn.Linear': 'none',
  'nemo.collections.asr.models.EncDecCTCModel': 'none',
  'torchvision.models.resnet50': 'low',
  'torch.nn.functional.relu': 'low',
  'transformers.AutoModel.from_pretrained': 'low',
  'timm.create_model': 'low',
  'my_project.models.Net': 'medium',
  'transformers.pipeline': 'medium',
  'torch.not_known_yet': 'medium',
  'os.system': 'high',
  'builtins.eval': 'high',
  'torch.os.system': 'high',
  'torch.serialization.os.system': 'high',
  'transformers.utils.hub.subprocess.run': 'high',
  'torch.hub.load': 'high',
  'torch.utils.collect_env.run': 'high',
  'torch.distributed.rpc.rpc_sync': 'high',
  'torch._dynamo.x': 'high',
  'keras.models.load_model': 'high',
};

t.test('what a configuration makes its loader call is judged by what it does, however it is reached', async (t) => {
  for (const [path, severity] of Object.entries(JUDGED)) t.equal(judgeTarget(path)?.severity ?? 'none', severity, path);
});

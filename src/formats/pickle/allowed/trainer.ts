import { plainState } from '../rules/general.ts';
import { fromPairs } from '../rules/stdlib.ts';
import { buildable, enumeration, type Row, record } from './roles.ts';

const STRATEGIES = [
  'IntervalStrategy',
  'SchedulerType',
  'HubStrategy',
  'EvaluationStrategy',
  'SaveStrategy',
  'FSDPOption',
  'ShardedDDPOption',
  'ExplicitEnum',
];

const TRL: readonly (readonly [module: string, name: string])[] = [
  ['sft_config', 'SFTConfig'],
  ['dpo_config', 'DPOConfig'],
  ['grpo_config', 'GRPOConfig'],
  ['kto_config', 'KTOConfig'],
  ['ppov2_config', 'PPOv2Config'],
  ['ppo_config', 'PPOConfig'],
  ['reward_config', 'RewardConfig'],
  ['orpo_config', 'ORPOConfig'],
  ['cpo_config', 'CPOConfig'],
  ['bco_config', 'BCOConfig'],
  ['rloo_config', 'RLOOConfig'],
  ['online_dpo_config', 'OnlineDPOConfig'],
  ['xpo_config', 'XPOConfig'],
  ['nash_md_config', 'NashMDConfig'],
  ['gkd_config', 'GKDConfig'],
  ['prm_config', 'PRMConfig'],
  ['dpo_config', 'FDivergenceType'],
];

/** Arguments and states of training: nothing that serves weights needs them. */
export const trainerRows: readonly Row[] = [
  ['transformers.training_args', ['TrainingArguments'], record('trainer')],
  ['transformers.training_args', ['OptimizerNames', 'ParallelMode'], enumeration('trainer')],
  ['transformers.training_args_seq2seq', ['Seq2SeqTrainingArguments'], record('trainer')],
  ['transformers.trainer_utils', STRATEGIES, enumeration('trainer')],
  ['transformers.trainer_pt_utils', ['AcceleratorConfig'], record('trainer')],
  ['transformers.generation.configuration_utils', ['GenerationConfig'], record('trainer')],
  ['transformers.deepspeed', ['HfTrainerDeepSpeedConfig', 'HfDeepSpeedConfig'], record('trainer')],
  ['transformers.integrations.deepspeed', ['HfTrainerDeepSpeedConfig', 'HfDeepSpeedConfig'], record('trainer')],
  ['accelerate.state', ['PartialState'], record('trainer')],
  ['accelerate.utils.dataclasses', ['DistributedType'], enumeration('trainer')],
  ['accelerate.utils.dataclasses', ['DeepSpeedPlugin'], record('trainer')],
  ['accelerate.utils.deepspeed', ['HfDeepSpeedConfig'], record('trainer')],
  ...TRL.map(
    ([module, name]): Row => [
      `trl.trainer.${module}`,
      [name],
      name.endsWith('Type') ? enumeration('trainer') : record('trainer'),
    ],
  ),
  ['sentence_transformers.training_args', ['SentenceTransformerTrainingArguments'], record('trainer')],
  ['sentence_transformers.training_args', ['BatchSamplers', 'MultiDatasetBatchSamplers'], enumeration('trainer')],
  [
    'simpletransformers.config.model_args',
    [
      'ModelArgs',
      'ClassificationArgs',
      'MultiLabelClassificationArgs',
      'NERArgs',
      'QuestionAnsweringArgs',
      'T5Args',
      'LanguageModelingArgs',
      'Seq2SeqArgs',
    ],
    record('trainer'),
  ],
  ['pyannote.audio.core.task', ['Specifications'], record('trainer')],
  ['pyannote.audio.core.task', ['Problem', 'Resolution'], enumeration('trainer')],
  ['omegaconf.dictconfig', ['DictConfig'], record('trainer')],
  ['omegaconf.listconfig', ['ListConfig'], record('trainer')],
  ['omegaconf.nodes', ['AnyNode', 'IntegerNode', 'FloatNode', 'StringNode', 'BooleanNode'], record('trainer')],
  ['omegaconf.base', ['Metadata', 'ContainerMetadata'], record('trainer')],
  ['pytorch_lightning.callbacks.model_checkpoint', ['ModelCheckpoint'], record('trainer')],
  ['pytorch_lightning.callbacks.early_stopping', ['EarlyStopping'], record('trainer')],
  [
    'lightning_fabric.utilities.data',
    ['AttributeDict'],
    buildable('trainer', fromPairs, plainState, { container: 'mapping' }),
  ],
  [
    'pytorch_lightning.utilities.parsing',
    ['AttributeDict'],
    buildable('trainer', fromPairs, plainState, { container: 'mapping' }),
  ],
];

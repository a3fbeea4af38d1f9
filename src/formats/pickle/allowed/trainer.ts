import { plainState } from '../rules/general.ts';
import { fromPairs } from '../rules/stdlib.ts';
import { buildable, enumeration, type Row, stateful, value } from './roles.ts';

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
  ['transformers.training_args', ['TrainingArguments'], value('trainer')],
  ['transformers.training_args', ['OptimizerNames', 'ParallelMode'], enumeration('trainer')],
  ['transformers.training_args_seq2seq', ['Seq2SeqTrainingArguments'], value('trainer')],
  ['transformers.trainer_utils', STRATEGIES, enumeration('trainer')],
  ['transformers.trainer_pt_utils', ['AcceleratorConfig'], value('trainer')],
  ['transformers.generation.configuration_utils', ['GenerationConfig'], value('trainer')],
  ['transformers.deepspeed', ['HfTrainerDeepSpeedConfig', 'HfDeepSpeedConfig'], value('trainer')],
  ['transformers.integrations.deepspeed', ['HfTrainerDeepSpeedConfig', 'HfDeepSpeedConfig'], value('trainer')],
  ['accelerate.state', ['PartialState'], value('trainer')],
  ['accelerate.utils.dataclasses', ['DistributedType'], enumeration('trainer')],
  ['accelerate.utils.dataclasses', ['DeepSpeedPlugin'], value('trainer')],
  ['accelerate.utils.deepspeed', ['HfDeepSpeedConfig'], value('trainer')],
  ...TRL.map(
    ([module, name]): Row => [
      `trl.trainer.${module}`,
      [name],
      name.endsWith('Type') ? enumeration('trainer') : value('trainer'),
    ],
  ),
  ['sentence_transformers.training_args', ['SentenceTransformerTrainingArguments'], value('trainer')],
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
    value('trainer'),
  ],
  ['pyannote.audio.core.task', ['Specifications'], value('trainer')],
  ['pyannote.audio.core.task', ['Problem', 'Resolution'], enumeration('trainer')],
  ['omegaconf.dictconfig', ['DictConfig'], buildable('trainer', () => undefined, plainState)],
  ['omegaconf.listconfig', ['ListConfig'], buildable('trainer', () => undefined, plainState)],
  ['omegaconf.nodes', ['AnyNode', 'IntegerNode', 'FloatNode', 'StringNode', 'BooleanNode'], stateful('trainer')],
  ['omegaconf.base', ['Metadata', 'ContainerMetadata'], value('trainer')],
  ['pytorch_lightning.callbacks.model_checkpoint', ['ModelCheckpoint'], value('trainer')],
  ['pytorch_lightning.callbacks.early_stopping', ['EarlyStopping'], value('trainer')],
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

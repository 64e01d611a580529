import { isDeepStrictEqual } from 'node:util';

/** What becomes of a setting of another trainer (Hugging Face Trainer, TRL, axolotl) that has no such key here. */
export type Verdict =
  /** It is this key here. */
  | { kind: 'renamed'; to: string }
  /** Accepted: what it would do is done anyway, or there is nothing that it could change. */
  | { kind: 'noEffect'; note: string }
  /** Refused: this is not there. */
  | { kind: 'missing'; hint: string };

const renamed = (to: string): Verdict => ({ kind: 'renamed', to });
const noEffect = (note: string): Verdict => ({ kind: 'noEffect', note });
const missing = (hint: string): Verdict => ({ kind: 'missing', hint });

/** Verdicts with the snake_case names that they are for. */
const rows: readonly (readonly [Verdict, string])[] = [
  // What has another name
  [renamed('modelName'), 'model_name_or_path base_model'],
  [renamed('datasetsConfig'), 'datasets dataset_name'],
  [renamed('datasetsKwargs'), 'dataset_config dataset_train_split dataset_test_split dataset_text_field'],
  [renamed('huggingfaceRepo'), 'hub_model_id push_to_hub_model_id'],
  [renamed('isPrivateRepo'), 'hub_private_repo'],
  [renamed('batchSize'), 'per_device_train_batch_size per_gpu_train_batch_size micro_batch_size'],
  [renamed('evalBatchSize'), 'per_device_eval_batch_size per_gpu_eval_batch_size'],
  [renamed('numEpochs'), 'num_train_epochs'],
  [renamed('maxLengthToken'), 'max_length max_seq_length sequence_len'],
  [renamed('optimizer'), 'optim adafactor'],
  [renamed('neftuneNoiseAlpha'), 'noisy_embedding_alpha neftune_alpha'],
  [renamed('lrSchedulerType'), 'lr_scheduler'],
  [renamed('minLrRate'), 'cosine_min_lr_ratio'],
  [renamed('evalStrategy'), 'evaluation_strategy'],
  [renamed('device'), 'use_cpu no_cuda'],
  [renamed('bf16'), 'bfloat16'],
  [renamed('fp16'), 'float16'],
  [renamed('precision'), 'dtype torch_dtype float32'],
  [renamed('attnImpl'), 'attn_implementation eager_attention sdp_attention'],
  [renamed('chatTemplate'), 'chat_template_path chat_template_jinja'],
  [renamed('loss'), 'loss_type'],
  [renamed('shuffle'), 'train_sampling_strategy'],
  [renamed('seed'), 'data_seed sampler_seed'],
  [renamed('runName'), 'wandb_name'],
  [renamed('wandbProject'), 'project'],
  [renamed('reportTo'), 'use_tensorboard'],
  [renamed('systemPrompts'), 'default_system_message'],
  [renamed('useLigerKernel'), 'use_liger'],
  [renamed('peftConfig'), 'use_peft adapter peft'],
  [renamed('r'), 'lora_r'],
  [renamed('bnb4bitUseDoubleQuant'), 'use_bnb_nested_quant'],
  [renamed('targetModules'), 'lora_target_modules lora_target_linear'],
  [renamed('modulesToSave'), 'lora_modules_to_save'],
  [renamed('taskType'), 'lora_task_type'],
  [renamed('fanInFanOut'), 'lora_fan_in_fan_out'],
  [renamed('rankPattern'), 'lora_rank_pattern'],
  [renamed('alphaPattern'), 'lora_alpha_pattern'],
  [renamed('useDora'), 'peft_use_dora'],
  [renamed('useRslora'), 'peft_use_rslora'],
  [renamed('layersToTransform'), 'peft_layers_to_transform'],
  [renamed('initLoraWeights'), 'peft_init_lora_weights'],
  [renamed('targetParameters'), 'lora_target_parameters'],
  [renamed('layersPattern'), 'peft_layers_pattern'],
  [renamed('trainableTokenIndices'), 'peft_trainable_token_indices'],
  [renamed('ensureWeightTying'), 'peft_ensure_weight_tying'],

  // What is done anyway, or has nothing to act on
  [
    noEffect(
      'nothing is padded: rows stand side by side in a micro-batch without gaps, and none sees another',
    ),
    'packing packing_strategy padding_free eval_packing pad_to_multiple_of pad_to_sequence_len batch_flattening ' +
      'sample_packing sample_packing_bin_size sample_packing_eff_est sample_packing_group_size ' +
      'sample_packing_mp_start_method sample_packing_sequentially eval_sample_packing multipack_real_batches ' +
      'max_packed_sequence_len num_of_sequences chars_per_token',
  ],
  [
    noEffect('rows of similar length stand together in a micro-batch, and nothing is padded'),
    'group_by_length length_column_name',
  ],
  [
    noEffect('rows are tokenized before the first step, on all cores, and kept in the cache'),
    'dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor ' +
      'dataloader_multiprocessing_context dataloader_in_order dataset_num_proc dataset_batch_size dataset_processes ' +
      'dataset_prepared_path dataset_keep_in_memory num_dataset_shards_to_save is_preprocess dispatch_batches ' +
      'split_batches accelerator_config',
  ],
  [
    noEffect('columns that are not used never reach the model'),
    'remove_unused_columns label_names include_for_metrics include_inputs_for_metrics',
  ],
  [
    noEffect('several processes find each other by their launcher, and sum what is trained (docs/ranks.md)'),
    'ddp ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph ddp_backend ' +
      'average_tokens_across_devices log_on_each_node save_on_each_node log_level_replica world_size device_map ' +
      'tpu_num_cores tpu_metrics_debug ray_scope torchdistx_path',
  ],
  [
    noEffect('the engine is compiled ahead, and its kernels are fused'),
    'torch_compile torch_compile_backend torch_compile_mode torch_compile_options torchdynamo jit_mode_eval use_ipex ' +
      'deepcompile use_kernels liger_kernel_config liger_rope liger_rms_norm liger_rms_norm_gated liger_layer_norm ' +
      'liger_swiglu liger_glu_activation liger_cross_entropy liger_fused_linear_cross_entropy cut_cross_entropy ' +
      'chunked_cross_entropy chunked_cross_entropy_num_chunks flash_attn_cross_entropy flash_attn_fuse_mlp ' +
      'flash_attn_rms_norm flash_attn_d512 flex_attn_compile_kwargs fused_attn_kernel flash_optimum tiled_mlp ' +
      'tiled_mlp_num_shards tiled_mlp_use_original_mlp lora_mlp_kernel lora_qkv_kernel lora_o_kernel ' +
      'lora_embedding_kernel large_head_attention sdpa_varlen',
  ],
  [
    noEffect('attention over rows side by side is fused; attnImpl chooses another'),
    'flash_attention xformers_attention sage_attention flex_attention gemma4_hybrid_attn_impl',
  ],
  [noEffect('it is for GPUs of NVIDIA alone'), 'tf32 fp16_opt_level fp16_backend half_precision_backend'],
  [noEffect('it is for GPUs of Apple alone'), 'use_mps_device'],
  [
    noEffect('memory is given back as soon as it is not needed'),
    'torch_empty_cache_steps gc_steps gc_collect_steps low_cpu_mem_usage experimental_skip_move_to_device lora_on_cpu ' +
      'use_cache gpu_memory_limit max_memory embeddings_skip_upcast selective_checkpointing qlora_sharded_model_loading ' +
      'peft_autocast_adapter_dtype',
  ],
  [
    noEffect('blocks are recomputed in one way, with gradientCheckpointing'),
    'gradient_checkpointing_kwargs activation_offloading layer_offloading',
  ],
  [
    noEffect('the progress is hidden by progress: false in the second argument of trainAdaptively'),
    'disable_tqdm',
  ],
  [
    noEffect('tokens and their speed are in every log'),
    'include_num_input_tokens_seen include_tokens_per_second include_tkps total_num_tokens total_supervised_tokens',
  ],
  [noEffect('warnings and errors are always told'), 'log_level strict debug'],
  [noEffect('onNonFinite says what becomes of numbers that are not finite'), 'logging_nan_inf_filter'],
  [noEffect('the peak of memory is in the last event'), 'skip_memory_metrics'],
  [noEffect('metrics.jsonl and TensorBoard files are in the output folder'), 'logging_dir'],
  [
    noEffect('an evaluation keeps no predictions'),
    'prediction_loss_only eval_accumulation_steps eval_do_concat_batches eval_use_gather_object batch_eval_metrics ' +
      'use_legacy_prediction_loop past_index',
  ],
  [noEffect('evaluations compute in what training computes in'), 'bf16_full_eval fp16_full_eval'],
  [noEffect('what is done follows from the other settings'), 'do_train do_eval do_predict'],
  [noEffect('4-bit weights are kept as bytes'), 'bnb_4bit_quant_storage'],
  [noEffect('weights are always written as safetensors'), 'save_safetensors'],
  [noEffect('the same seed and number of threads give the same bits'), 'full_determinism'],
  [noEffect('Ctrl-C and SIGTERM save a checkpoint'), 'enable_jit_checkpoint'],
  [noEffect('all of a checkpoint is restored'), 'restore_callback_states_from_checkpoint'],
  [noEffect('the final model is uploaded once, after the run'), 'hub_strategy hub_always_push'],
  [
    noEffect('the family of the model is read from its config.json'),
    'model_type is_falcon_derived_model ' +
      'is_llama_derived_model is_mistral_derived_model is_qwen_derived_model type_of_model base_model_config trust_remote_code',
  ],
  [
    noEffect("the model's own tokenizer is used, as its files say"),
    'tokenizer_type tokenizer_config tokenizer_use_fast tokenizer_legacy tokenizer_use_mistral_common ' +
      'tokenizer_save_jinja_files processor_type processor_kwargs',
  ],
  [
    noEffect('the answers of the assistant are trained, with their end of turn, and nothing else'),
    'completion_only_loss assistant_only_loss role_boundaries eot_tokens',
  ],
  [noEffect('rows that are too long are left out and counted'), 'truncation_mode excess_length_strategy'],
  [
    noEffect('padding tokens and new embeddings are made where they are needed'),
    'mean_resizing_embeddings ' + 'resize_token_embeddings_to_32x shrink_embeddings pad_token',
  ],
  [noEffect('each row is checked, and each file looked up'), 'skip_prepare_dataset dataset_kwargs'],
  [
    noEffect('shuffle orders the rows anew in each epoch'),
    'shuffle_merged_datasets shuffle_before_merging_datasets shuffle_dataset',
  ],
  [noEffect('the command does one thing at a time'), 'merge_lora axolotl_config_path merge_method'],
  [
    noEffect('a checkpoint can be gone on from with resumeFromCheckpoint: true'),
    'auto_resume_from_checkpoints',
  ],
  [
    noEffect('it sets up a web page, which is not made here'),
    'gradio_max_new_tokens gradio_server_name ' +
      'gradio_server_port gradio_share gradio_temperature gradio_title',
  ],

  // What is not there
  [
    missing(
      'each process holds the whole model; leave it out: with several ranks zeroStage: 1 or 2 shares out gradients and optimizer, and precision: "bf16-true" or an adapter takes less',
    ),
    'deepspeed fsdp fsdp_config fsdp_version fsdp_final_state_dict_type parallelism_config context_parallel_size ' +
      'tensor_parallel_size dp_shard_size dp_replicate_size sequence_parallel_degree heads_k_stride ring_attn_func ' +
      'mp_parameters use_ray ray_num_workers ray_run_name resources_per_worker',
  ],
  [missing('name the repository with huggingfaceRepo'), 'push_to_hub push_to_hub_organization'],
  [
    missing('set the variable HF_TOKEN, which no file or log ever holds'),
    'hub_token push_to_hub_token hf_use_auth_token',
  ],
  [missing('the main branch of huggingfaceRepo is written'), 'hub_revision push_dataset_to_hub'],
  [missing('download the revision, and give its folder as modelName'), 'model_revision revision_of_model'],
  [missing('the last micro-batch of an epoch is trained, however few rows it has'), 'dataloader_drop_last'],
  [missing('a run goes on at the row where it stopped'), 'ignore_data_skip'],
  [
    missing('choose batchSize by the estimate that the run begins with, or give maxTokensPerBatch'),
    'auto_find_batch_size',
  ],
  [missing('loggingSteps sets it in steps'), 'logging_strategy'],
  [missing('evalSteps and saveSteps set it in steps'), 'evals_per_epoch saves_per_epoch save_first_step'],
  [missing('adamBeta1, adamBeta2, adamEpsilon and momentum set an optimizer'), 'adam_epsilon2'],
  [
    missing('learningRateMultipliers takes a multiplier of the learning rate by pattern of names'),
    'embedding_lr embedding_lr_scale lr_groups',
  ],
  [
    missing('choose an optimizer and a schedule that the keys optimizer and lrSchedulerType list'),
    'optim_target_modules dion_lr dion_momentum dion_rank_fraction dion_rank_multiple_of qgalore_cos_threshold ' +
      'qgalore_gamma_proj qgalore_proj_bits qgalore_proj_group_size qgalore_proj_quant qgalore_proj_type ' +
      'qgalore_queue_size qgalore_rank qgalore_scale qgalore_update_proj_gap lr_div_factor lr_quadratic_warmup ' +
      'cosine_constant_lr_ratio jagged_restart_anneal_steps jagged_restart_steps jagged_restart_warmup_steps ' +
      'curriculum_sampling',
  ],
  [
    missing(
      'the weights that freeze and unfrozenParameters leave are trained all along, or an adapter of peftConfig',
    ),
    'lisa_layers_attribute lisa_n_layers ' +
      'lisa_step_interval relora relora_cpu_offload relora_prune_method relora_prune_ratio freeze_mm_modules',
  ],
  [
    missing(
      'a base is kept in float32 or bfloat16 (precision), or in 4 or 8 bits as bitsandbytes does (loadIn4bit, loadIn8bit)',
    ),
    'gptq bnb_config_kwargs fp8 ' +
      'fp8_enable_fsdp_float8_all_gather qat quantization use_onebitllms model_quantization_config ' +
      'model_quantization_config_kwargs quantize_moe_experts',
  ],
  [
    missing('the keys of peftConfig are all that an adapter has here'),
    'peft_layer_replication ignore_bias_buffers',
  ],
  [missing('give the folder of the adapter as modelName'), 'lora_model_dir'],
  [
    missing("the model's config.json says it; edit that file"),
    'model_init_kwargs model_config model_kwargs overrides_of_model_config overrides_of_model_kwargs cls_model_config rope_scaling ' +
      'reinit_weights router_aux_loss_coef experts_implementation llama4_linearized_experts s2_attention ' +
      'scaling_softmax scaling_softmax_bias scaling_softmax_factor fp32_norms fp32_norm_classes liger_use_token_scaling',
  ],
  [
    missing("the tokenizer's own files say it; edit those"),
    'eos_token special_tokens tokens added_tokens_overrides fix_untrained_tokens chat_template_kwargs',
  ],
  [missing('rows in which everything is to be trained have one column, text'), 'train_on_inputs'],
  [
    missing(
      'a dataset without a validation split has 5% of its rows held out; valSplit of datasetsKwargs names a split',
    ),
    'val_set_size test_datasets eval_sequence_len',
  ],
  [
    missing(
      'list such datasets in datasetsConfig, as text; rows in memory may be streamed to AdaptiveTrainer',
    ),
    'pretraining_dataset streaming dataset_streaming streaming_multipack_buffer_size pretrain_multipack_attn ' +
      'pretrain_multipack_buffer_size pretraining_sample_concatenation preprocess_iterable dataset_shard_idx ' +
      'dataset_shard_num min_sample_len dataset_exact_deduplication',
  ],
  [
    missing('evaluations tell losses, accuracies and shares'),
    'do_bench_eval bench_dataset bench_split do_causal_lm_eval ' +
      'eval_causal_lm_metrics eval_max_new_tokens eval_table_size generate_samples num_generation_samples ' +
      'generation_max_new_tokens generation_prompt_ratio generation_temperature generation_top_k generation_top_p ' +
      'generation_do_sample do_sample use_seq2seq',
  ],
  [
    missing('this library trains on answers, with the losses of adaptiveLossConfig'),
    'rl rl_beta dpo_beta dpo_generate_during_eval dpo_label_smoothing dpo_loss_type dpo_loss_weights dpo_norm_loss ' +
      'dpo_padding_free dpo_use_liger_kernel dpo_use_logits_to_keep dpo_use_weighting precompute_ref_log_probs orpo_alpha ' +
      'cpo_alpha simpo_gamma rpo_alpha kto_desirable_weight kto_undesirable_weight max_prompt_len reward_model ' +
      'process_reward_model center_rewards_coefficient num_labels trl trainer_cls vllm ebft',
  ],
  [missing('adaptiveLossConfig.loss "eaft" is that loss, and topK its k'), 'use_eaft eaft_alpha eaft_k'],
  [missing('models of text are trained'), 'image_size image_resize_algorithm'],
  [
    missing('rows have the positions that they have'),
    'use_pose pose_max_context_len pose_num_chunks pose_split_on_token_ids',
  ],
  [
    missing('reportTo knows wandb, tensorboard and trackers of your own'),
    'trackio_space_id trackio_bucket_id trackio_static_space_id use_trackio trackio_project_name trackio_run_name ' +
      'use_mlflow mlflow_experiment_name mlflow_run_name mlflow_tracking_uri hf_mlflow_log_artifacts use_comet ' +
      'comet_api_key comet_experiment_config comet_experiment_key comet_mode comet_online comet_project_name ' +
      'comet_workspace use_otel_metrics otel_metrics_host otel_metrics_port',
  ],
  [
    missing('the variables of W&B set it (WANDB_MODE, WANDB_RUN_ID, …)'),
    'wandb_mode wandb_run_id wandb_log_model wandb_watch',
  ],
  [missing('a callback may stop a run: trainer.stop()'), 'loss_watchdog_patience loss_watchdog_threshold'],
  [
    missing('a callback may do it, or a profiler outside'),
    'profiler_steps profiler_steps_start dynamic_checkpoint plugins',
  ],
];

/** Verdicts by snake_case name. */
export const otherTrainers: ReadonlyMap<string, Verdict> = new Map(
  rows.flatMap(([verdict, names]) => names.split(' ').map((name) => [name, verdict] as const)),
);

/** What a whole configuration written out by those trainers holds for a setting that nobody set, where that is not "off". */
const defaults: Readonly<Record<string, unknown>> = {
  ...{
    logging_strategy: 'steps',
    model_revision: 'main',
    router_aux_loss_coef: 0.001,
  },
  ...{
    hub_token: '<HUB_TOKEN>',
    eos_token: '<EOS_TOKEN>',
    pad_token: '<PAD_TOKEN>',
    hub_strategy: 'every_save',
  },
  ...{ average_tokens_across_devices: true, log_on_each_node: true, logging_nan_inf_filter: true },
  ...{
    log_level: 'passive',
    log_level_replica: 'warning',
    eval_do_concat_batches: true,
    dataloader_in_order: true,
  },
  ...{
    dataloader_pin_memory: true,
    remove_unused_columns: true,
    length_column_name: 'length',
  },
  ...{ skip_memory_metrics: true, truncation_mode: 'keep_start', packing_strategy: 'bfd' },
  accelerator_config: {
    ...{ split_batches: false, dispatch_batches: null, even_batches: true, use_seedable_sampler: true },
    ...{ non_blocking: false, gradient_accumulation_kwargs: null },
  },
};

/** Whether such a setting is as good as not there. */
export function isLeftAlone(name: string, value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === 0 || value === '') return true;
  if (value === 'no' || value === 'none') return true;
  if (typeof value === 'object' && Object.keys(value).length === 0) return true;
  return isDeepStrictEqual(value, defaults[name]);
}

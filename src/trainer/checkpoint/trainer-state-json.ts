import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { RunState } from './run-state.js';

/** `trainer_state.json` as the Hugging Face Trainer writes it, so that tools for it read this one. */
export function trainerStateJson(
  state: Omit<RunState, 'optimizer'>,
  args: TrainingConfig,
  epoch: number,
  maxSteps: number,
): string {
  const { best } = state;
  const content = {
    best_global_step: best?.step ?? null,
    best_metric: best?.loss ?? null,
    best_model_checkpoint: best === null ? null : `checkpoint-${best.step}`,
    epoch,
    eval_steps: args.evalSteps,
    global_step: state.step,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: state.history,
    logging_steps: args.loggingSteps,
    max_steps: maxSteps,
    num_input_tokens_seen: state.log.tokens,
    num_train_epochs: args.numEpochs,
    save_steps: args.saveSteps,
    stateful_callbacks: {},
    total_flos: 0,
    train_batch_size: args.batchSize,
    trial_name: null,
    trial_params: null,
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

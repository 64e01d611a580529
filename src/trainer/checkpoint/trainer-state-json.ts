import { join } from 'node:path';
import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import type { RunState } from './run-state.js';

/** `trainer_state.json` as the Hugging Face Trainer writes it, so that tools for it read this one. */
export function trainerStateJson(
  state: Omit<RunState, 'optimizer'>,
  args: TrainingConfig,
  epoch: number,
  maxSteps: number,
): string {
  const { seen, saved } = state.best;
  const content = {
    best_global_step: seen?.step ?? null,
    best_metric: seen?.value ?? null,
    best_model_checkpoint:
      saved === null ? null : join(saved.elsewhere?.folder ?? '', `checkpoint-${saved.step}`),
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
    stateful_callbacks: earlyStopping(state, args),
    total_flos: 0,
    train_batch_size: args.batchSize,
    trial_name: null,
    trial_params: null,
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

function earlyStopping({ best }: Pick<RunState, 'best'>, args: TrainingConfig): Record<string, unknown> {
  if (args.earlyStoppingPatience === null) return {};
  return {
    EarlyStoppingCallback: {
      args: {
        early_stopping_patience: args.earlyStoppingPatience,
        early_stopping_threshold: args.earlyStoppingThreshold,
      },
      attributes: { early_stopping_patience_counter: best.withoutImprovement },
    },
  };
}

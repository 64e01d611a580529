import { join, resolve } from 'node:path';
import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { CausalLM } from '../../model/causal-lm.js';
import type { TrainingEvent } from '../../events/training-event.js';
import { verifyCheckpoint } from './checkpoint-files.js';
import { findCheckpoint } from './find-checkpoint.js';
import { loadCheckpoint } from './load-checkpoint.js';
import { rotateCheckpoints } from './rotate-checkpoints.js';
import type { Fingerprint, RunState } from './run-state.js';
import { saveCheckpoint } from './save-checkpoint.js';
import { trainerStateJson } from './trainer-state-json.js';

interface Options {
  model: CausalLM;
  args: TrainingConfig;
  /** undefined: no checkpoints are written. */
  outputDir: string | undefined;
  saveModel: (dir: string) => Promise<void>;
  emit: (event: TrainingEvent) => Promise<void>;
}

/** What the trainer knows; the rest of RunState is known here and by the optimizer. */
type TrainerState = Omit<RunState, 'history' | 'best' | 'optimizer'>;

/** The checkpoints of one run: written, rotated, and gone on from. */
export class Checkpoints {
  private history: RunState['history'] = [];
  private best: RunState['best'] = null;
  private evaluated: RunState['best'] = null;
  private lastSaved: { step: number; path: string } | undefined;

  constructor(private readonly options: Options) {}

  /** Keeps what goes into the log history, and how good the model is at this step. */
  record(event: TrainingEvent): void {
    if (event.type === 'log') {
      const { step, epoch, loss, gradNorm: grad_norm, learningRate: learning_rate } = event;
      this.history.push({ epoch, grad_norm, learning_rate, loss, step });
    }
    if (event.type === 'evaluate') {
      const { step, epoch, loss, seconds } = event;
      this.history.push({ epoch, eval_loss: loss, eval_runtime: seconds, step });
      this.evaluated = { step, loss };
    }
  }

  /**
   * Writes `checkpoint-<step>`, unless that has just been done, and deletes surplus ones. Returns its folder; undefined
   * where none is written.
   * @throws AdaptiveTrainerError IO_FAILED when `onSaveError` is `stop`; otherwise a failure is a warning
   */
  async save(state: TrainerState, epoch: number, maxSteps: number): Promise<string | undefined> {
    const { model, args, outputDir, saveModel, emit } = this.options;
    if (outputDir === undefined) return undefined;
    if (this.lastSaved?.step === state.step) return this.lastSaved.path;
    const path = join(outputDir, `checkpoint-${state.step}`);
    const best = this.bestAt(state.step);
    const whole = { ...state, history: this.history, best };
    try {
      const trainerState = trainerStateJson(whole, args, epoch, maxSteps);
      await saveCheckpoint(path, { model, saveModel, state: whole, trainerState });
      await rotateCheckpoints(outputDir, args.saveTotalLimit, best?.step);
    } catch (error) {
      if (args.onSaveError === 'stop' || !AdaptiveTrainerError.isInstance(error, 'IO_FAILED')) throw error;
      const message = `${error.message} The run goes on; checkpoints written before are untouched.`;
      await emit({ type: 'warning', code: 'CHECKPOINT_FAILED', message, step: state.step });
      return undefined;
    }
    this.best = best;
    this.lastSaved = { step: state.step, path };
    await emit({ type: 'save', step: state.step, path });
    return path;
  }

  /**
   * Restores model and optimizer from a checkpoint: a path, or the newest whole one (true). undefined when there is
   * nothing to resume from.
   * @throws AdaptiveTrainerError CHECKPOINT_INVALID, CHECKPOINT_MISMATCH
   */
  async resume(
    from: boolean | string | null,
    fingerprint: () => Promise<Fingerprint>,
  ): Promise<RunState | undefined> {
    if (from === false || from === null) return undefined;
    const path = await this.find(from);
    if (path === undefined) return undefined;
    const state = await loadCheckpoint(path, this.options.model, await fingerprint());
    this.history = state.history;
    this.best = state.best;
    this.lastSaved = { step: state.step, path };
    return state;
  }

  /** The best checkpoint with the one that is being written: only a model that was evaluated as it was saved can be it. */
  private bestAt(step: number): RunState['best'] {
    const { best, evaluated } = this;
    if (evaluated?.step !== step || !Number.isFinite(evaluated.loss)) return best;
    return best !== null && best.loss <= evaluated.loss ? best : evaluated;
  }

  private async find(from: true | string): Promise<string | undefined> {
    const { outputDir, emit } = this.options;
    if (from !== true) {
      await verifyCheckpoint(resolve(from));
      return resolve(from);
    }
    if (outputDir === undefined) {
      const message =
        'Expected an outputDir to look for checkpoints in, found none. Give one, or the path of a checkpoint.';
      throw new AdaptiveTrainerError('INVALID_INPUT', message);
    }
    const found = await findCheckpoint(outputDir, ({ message }) =>
      emit({ type: 'warning', code: 'CHECKPOINT_DAMAGED', message: `${message} Trying the one before.` }),
    );
    if (found === undefined) {
      const message = `There is no checkpoint in ${outputDir} to resume from; the run begins at step 0.`;
      await emit({ type: 'warning', code: 'NO_CHECKPOINT_TO_RESUME', message });
    }
    return found;
  }
}

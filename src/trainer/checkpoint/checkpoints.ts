import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../../common/write-durably.js';
import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { StartEvent, TrainingEvent } from '../../events/training-event.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { lockOutputDir, type OutputLock } from '../output-dir/lock-output-dir.js';
import { removeLeftovers } from '../output-dir/output-contents.js';
import { overwritingMessage, usedOutputDir } from '../output-dir/used-output-dir.js';
import { readManifest } from './checkpoint-files.js';
import { findSource, type RunSource } from './find-source.js';
import { compareFingerprints } from './fingerprint.js';
import { loadCheckpoint, readRunState } from './load-checkpoint.js';
import { rebatched } from './rebatched.js';
import { rotateCheckpoints } from './rotate-checkpoints.js';
import { newRunId } from './run-id.js';
import type { Fingerprint, RunState } from './run-state.js';
import { saveCheckpoint } from './save-checkpoint.js';
import { trainerStateJson } from './trainer-state-json.js';

interface Options {
  model: CausalLM;
  args: TrainingConfig;
  /** undefined: nothing is written. */
  outputDir: string | undefined;
  saveModel: (dir: string) => Promise<void>;
  emit: (event: TrainingEvent) => Promise<void>;
}

/** What the trainer knows; the rest of RunState is known here and by the optimizer. */
type TrainerState = Omit<RunState, 'runId' | 'history' | 'best' | 'optimizer'>;

/** The output folder of one run and the checkpoints in it: locked, written, rotated, and gone on from. */
export class Checkpoints {
  /** Changes when an older run is gone on with. */
  runId = newRunId();
  private lock: OutputLock | undefined;
  private source: RunSource | undefined;
  private history: RunState['history'] = [];
  private best: RunState['best'] = null;
  private evaluated: RunState['best'] = null;
  private lastSaved: { step: number; path: string } | undefined;

  constructor(private readonly options: Options) {}

  /**
   * Makes the output folder this run's own and finds what to go on from. Deletes nothing yet.
   * @param from a checkpoint's path, or the newest whole one (true)
   * @throws AdaptiveTrainerError OUTPUT_DIR_BUSY; OUTPUT_DIR_USED where something else would be written over; CHECKPOINT_INVALID
   */
  async open(from: boolean | string | null): Promise<void> {
    const { outputDir, args, emit } = this.options;
    if (outputDir === undefined && from === true) {
      const message =
        'Expected an outputDir to look for checkpoints in, found none. Give one, or the path of a checkpoint.';
      throw new AdaptiveTrainerError('INVALID_INPUT', message);
    }
    if (outputDir !== undefined) {
      await makeFolder(outputDir);
      this.lock = await lockOutputDir(outputDir, args.runName);
      await removeLeftovers(outputDir);
    }
    const source = await findSource(outputDir, from ?? false, ({ message }) =>
      emit({ type: 'warning', code: 'CHECKPOINT_DAMAGED', message: `${message} Trying the one before.` }),
    );
    if (outputDir !== undefined && source.inTheWay.length > 0 && !args.overwriteOutputDir)
      throw usedOutputDir(outputDir, source);
    this.source = source;
    if (source.isSameRun && source.checkpoint?.runId !== undefined) this.runId = source.checkpoint.runId;
    if (from !== true || source.checkpoint !== undefined) return;
    const message = `There is no checkpoint in ${outputDir} to resume from; the run begins at step 0.`;
    await emit({ type: 'warning', code: 'NO_CHECKPOINT_TO_RESUME', message });
  }

  /**
   * Restores model and optimizer from what `open` found, and clears the folder of what is to be overwritten. undefined when
   * there is nothing to go on from.
   * @param rows how many an epoch has, where the run may go on at any of them
   * @throws AdaptiveTrainerError CHECKPOINT_MISMATCH before anything is changed
   */
  async resume(
    fingerprint: () => Promise<Fingerprint>,
    rows: number | undefined,
  ): Promise<RunState | undefined> {
    const { checkpoint, isSameRun } = this.source!;
    if (checkpoint === undefined) {
      await this.clear();
      return undefined;
    }
    const { path } = checkpoint;
    const saved = await readRunState(path);
    const now = await fingerprint();
    const differences = compareFingerprints(saved.fingerprint, now, path);
    const state = rebatched(saved, differences, rows, path);
    await this.restore(
      path,
      state,
      differences.some(({ key }) => key === 'args.precision'),
    );
    await this.clear();
    if (differences.length > 0) {
      const message = `The run goes on from step ${state.step} with other settings: ${differences.map(({ text }) => text).join(', ')}.`;
      await this.options.emit({ type: 'warning', code: 'SETTINGS_CHANGED', message });
    }
    this.history = state.history;
    if (isSameRun) this.lastSaved = { step: state.step, path };
    this.best = (await this.isOwn(state.best?.step)) ? state.best : null;
    return state;
  }

  /** For the start of the run. */
  get origin(): Pick<StartEvent, 'runId' | 'resumedFrom'> {
    const { checkpoint } = this.source!;
    if (checkpoint === undefined) return { runId: this.runId };
    const { path, step, runId } = checkpoint;
    return { runId: this.runId, resumedFrom: { step, path, ...(runId === undefined ? {} : { runId }) } };
  }

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
   * @throws AdaptiveTrainerError IO_FAILED when `onSaveError` is `stop`, otherwise a failure is a warning; OUTPUT_DIR_BUSY
   */
  async save(state: TrainerState, epoch: number, maxSteps: number): Promise<string | undefined> {
    const { runId, options } = this;
    const { model, args, outputDir, saveModel, emit } = options;
    if (outputDir === undefined) return undefined;
    await this.checkLock();
    if (this.lastSaved?.step === state.step && (await this.isOwn(state.step))) return this.lastSaved.path;
    const path = join(outputDir, `checkpoint-${state.step}`);
    const best = this.bestAt(state.step);
    const whole = { ...state, runId, history: this.history, best };
    try {
      const trainerState = trainerStateJson(whole, args, epoch, maxSteps);
      await saveCheckpoint(path, { model, saveModel, state: whole, trainerState });
      await rotateCheckpoints(outputDir, args.saveTotalLimit, { runId, step: state.step }, best?.step);
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
   * To be called before anything is written into the output folder.
   * @throws AdaptiveTrainerError OUTPUT_DIR_BUSY where another process has taken it over
   */
  async checkLock(): Promise<void> {
    await this.lock?.check();
  }

  /** Gives the folder free. */
  async close(): Promise<void> {
    await this.lock?.release();
    this.lock = undefined;
  }

  private async restore(path: string, state: RunState, hasOtherPrecision: boolean): Promise<void> {
    const { model } = this.options;
    const fresh = await model.call((native) => native.optimizerState());
    // The loss scale is one of float16 alone.
    const { lossScale, goodSteps } = hasOtherPrecision ? fresh : state.optimizer;
    await loadCheckpoint(path, model, { steps: state.optimizer.steps, lossScale, goodSteps });
  }

  /** Deletes the checkpoints that are to be overwritten; a finished model is replaced by the next one. */
  private async clear(): Promise<void> {
    const { inTheWay } = this.source!;
    const { outputDir, emit } = this.options;
    if (outputDir === undefined || inTheWay.length === 0) return;
    const message = overwritingMessage(outputDir, inTheWay);
    await emit({ type: 'warning', code: 'OUTPUT_DIR_OVERWRITTEN', message });
    for (const name of inTheWay.filter((name) => name !== 'final_model'))
      await rm(join(outputDir, name), { recursive: true, force: true });
  }

  /** Whether a checkpoint of this very run lies in the output folder. */
  private async isOwn(step: number | undefined): Promise<boolean> {
    const { outputDir } = this.options;
    if (outputDir === undefined || step === undefined) return false;
    const manifest = await readManifest(join(outputDir, `checkpoint-${step}`)).catch(() => undefined);
    return manifest?.runId === this.runId;
  }

  /** The best checkpoint with the one that is being written: only a model that was evaluated as it was saved can be it. */
  private bestAt(step: number): RunState['best'] {
    const { best, evaluated } = this;
    if (evaluated?.step !== step || !Number.isFinite(evaluated.loss)) return best;
    return best !== null && best.loss <= evaluated.loss ? best : evaluated;
  }
}

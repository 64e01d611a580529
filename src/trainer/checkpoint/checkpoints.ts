import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../common/write-durably.js';
import type { TrainingConfig } from '../../config/schema/parsed-config.js';
import { AdaptiveTrainerError } from '../../errors.js';
import type { EndEvent, StartEvent, TrainingEvent } from '../../events/training-event.js';
import type { CausalLM } from '../../model/causal-lm.js';
import { BestModel, type BestModelState } from '../evaluation/best-model.js';
import { refuseBaseFolder } from '../../model/adapter/save-adapter.js';
import { lockOutputDir, type OutputLock } from '../output-dir/lock-output-dir.js';
import { removeLeftovers, storedCheckpoints } from '../output-dir/output-contents.js';
import { overwritingMessage, usedOutputDir } from '../output-dir/used-output-dir.js';
import { readManifest } from './checkpoint-files.js';
import { findSource, type RunSource } from './find-source.js';
import { compareFingerprints } from './fingerprint.js';
import { loadBestModel } from './load-best-model.js';
import { loadCheckpoint, readRunState } from './load-checkpoint.js';
import { rebatched } from './rebatched.js';
import { keepOnly, rotateCheckpoints } from './rotate-checkpoints.js';
import type { Fingerprint, RunState } from './run-state.js';
import { saveCheckpoint } from './save-checkpoint.js';
import { trainerStateJson } from './trainer-state-json.js';
import { randomBytes } from 'node:crypto';

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
  /** What keeps a checkpoint from being written. */
  obstacle: AdaptiveTrainerError | undefined;
  private lock: OutputLock | undefined;
  private source: RunSource | undefined;
  private history: RunState['history'] = [];
  private bestModel: BestModel;
  private lastSaved: { step: number; path: string } | undefined;

  constructor(private readonly options: Options) {
    this.bestModel = new BestModel(options.args);
  }

  /** How good the model was found to be. */
  get best(): Pick<BestModel, 'lastIsBest' | 'isPatienceOver'> {
    return this.bestModel;
  }

  /**
   * Makes the output folder this run's own and finds what to go on from. Deletes nothing yet.
   * @param asked a checkpoint's path, or the newest whole one (true)
   * @param begun the run that was under way when its launcher started all ranks anew: what it saved is gone on from first
   * @throws AdaptiveTrainerError OUTPUT_DIR_BUSY; OUTPUT_DIR_USED where something else would be written over; CHECKPOINT_INVALID
   */
  async open(asked: boolean | string | null, begun?: string): Promise<void> {
    const { model, outputDir, args, emit } = this.options;
    const hasSaved =
      begun !== undefined &&
      outputDir !== undefined &&
      (await storedCheckpoints(outputDir)).some(({ runId }) => runId === begun);
    const from = hasSaved ? true : asked;
    if (outputDir === undefined && from === true) {
      const message =
        'Expected an outputDir to look for checkpoints in, found none. Give one, or the path of a checkpoint.';
      throw new AdaptiveTrainerError('INVALID_INPUT', message);
    }
    if (outputDir !== undefined) {
      // Told at the end, it would be told too late.
      if (model.adapter !== undefined) await refuseBaseFolder(model.dir, join(outputDir, 'final_model'));
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
    const { args } = this.options;
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
    this.bestModel = new BestModel(args, { ...state.best, saved: await this.bestOf(state, path) });
    return state;
  }

  /** Keeps what rank 0 has of the run, at another one: it writes nothing. */
  follow(runId: string, state?: RunState): void {
    this.runId = runId;
    this.source = { checkpoint: undefined, isSameRun: false, inTheWay: [], resumable: undefined };
    if (state === undefined) return;
    this.history = state.history;
    this.bestModel = new BestModel(this.options.args, state.best);
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
      this.bestModel.record(event);
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
    const best = this.bestModel.stateAt(state.step);
    const whole = { ...state, runId, history: this.history, best };
    try {
      if (this.obstacle !== undefined) throw this.obstacle;
      const trainerState = trainerStateJson(whole, args, epoch, maxSteps);
      const onlyModel = args.saveOnlyModel;
      await saveCheckpoint(path, { model, saveModel, state: whole, trainerState, onlyModel });
      await rotateCheckpoints(outputDir, args.saveTotalLimit, { runId, step: state.step }, best.saved?.step);
    } catch (error) {
      if (args.onSaveError === 'stop' || !AdaptiveTrainerError.isInstance(error, 'IO_FAILED')) throw error;
      const message = `${error.message} The run goes on; checkpoints written before are untouched.`;
      await emit({ type: 'warning', code: 'CHECKPOINT_FAILED', message, step: state.step });
      return undefined;
    }
    this.bestModel.onSaved(state.step);
    this.lastSaved = { step: state.step, path };
    await emit({ type: 'save', step: state.step, path });
    return path;
  }

  /**
   * Gives the model the weights of the best checkpoint, which with a `saveTotalLimit` of one is the only one left then.
   * @returns which it was; undefined where there is none, which is warned of
   */
  async loadBest(): Promise<EndEvent['best']> {
    const { model, args, outputDir, emit } = this.options;
    if (outputDir === undefined) return undefined;
    const best = await loadBestModel(model, outputDir, this.bestModel);
    if ('type' in best) {
      await emit(best);
      return undefined;
    }
    if (args.saveTotalLimit === 1 && this.bestModel.saved?.elsewhere === undefined)
      await keepOnly(outputDir, { runId: this.runId, step: best.step });
    return best;
  }

  /**
   * To be called before anything is written into the output folder.
   * @throws AdaptiveTrainerError OUTPUT_DIR_BUSY where another process has taken it over
   */
  async checkLock(): Promise<void> {
    await this.lock?.check();
  }

  /** Releases the lock of the folder. */
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

  /** The best checkpoint of the run that is gone on with, where it is still there. */
  private async bestOf(
    { best: { saved }, runId }: RunState,
    resumed: string,
  ): Promise<BestModelState['saved']> {
    if (saved === null || (await this.isOwn(saved.step))) return saved;
    // The run goes on in another folder: the best one stays where it is.
    const elsewhere = saved.elsewhere ?? { folder: dirname(resumed), runId };
    const path = join(elsewhere.folder, `checkpoint-${saved.step}`);
    const manifest = await readManifest(path).catch(() => undefined);
    return manifest?.runId === elsewhere.runId ? { ...saved, elsewhere } : null;
  }

  /** Whether a checkpoint of this very run lies in the output folder. */
  private async isOwn(step: number | undefined): Promise<boolean> {
    const { outputDir } = this.options;
    if (outputDir === undefined || step === undefined) return false;
    const manifest = await readManifest(join(outputDir, `checkpoint-${step}`)).catch(() => undefined);
    return manifest?.runId === this.runId;
  }
}

/** The name of one run among all: when it began (UTC) and some chance, such as `20260131-093000-1f3a9c`. */
function newRunId(): string {
  const [day, time] = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15).split('T');
  return `${day}-${time}-${randomBytes(3).toString('hex')}`;
}

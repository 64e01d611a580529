import path from 'node:path';
import type { MixProgress } from '../events/dataset-report.js';
import { AdaptiveTrainerError } from '../errors.js';
import { hubSettings, type HubSettings } from '../common/hub-settings.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { trainingTokenizer } from '../tokenizer/training-tokenizer.js';
import { askHub } from './ask-hub.js';
import { checkDatasets } from './check-datasets.js';
import { faultOfFrozenBase } from '../model/quantization/needs-adapter.js';
import { checkModel } from './check-model.js';
import { checkOutput } from './check-output.js';
import { checkUpload } from './check-upload.js';
import type { ConfigFault } from '../common/config-fault.js';
import { planAdapter } from '../model/adapter/plan-adapter.js';
import { refuseBaseFolder } from '../model/adapter/save-adapter.js';
import type { CheckedModel } from '../model/check-model-files.js';
import { longestRow } from '../model/longest-row.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import { configParts, wholeConfig } from '../config/read/parse-config.js';
import type { ConfigParts } from '../config/read/read-config.js';
import { throwFaults } from '../config/read/throw-faults.js';
import { weightPatternFaults } from '../trainer/step/weight-pattern-faults.js';

/** A configuration that passed, and what else there is to say about it. */
export interface ValidatedConfig {
  config: ParsedConfig;
  /** What could not be checked, what was found on the Hub, and settings that have no effect. */
  notes: string[];
}

/** How much is looked at. */
export interface ValidateOptions {
  /** Rows of each split that are tried. Default: all; their tokens are kept for the run. */
  rows?: number;
  /** Told how far the reading of datasets is. */
  onProgress?: (progress: MixProgress) => void;
}

/**
 * Checks a whole configuration without training: what `parseConfig` checks; that the model, the datasets, a place for
 * the output and the repository to upload to are there, on this disk or, unless HF_HUB_OFFLINE is set, on the Hub; and
 * that every row of each split on this disk can be rendered and encoded. Relative paths start at the current directory.
 * @throws AdaptiveTrainerError CONFIG_INVALID, once for all of it, with `details.faults` and `details.notes`
 */
export async function validateConfig(
  input: unknown,
  env: NodeJS.ProcessEnv = process.env,
  { rows = Infinity, onProgress = () => {} }: ValidateOptions = {},
): Promise<ValidatedConfig> {
  const parts = configParts(input, env);
  const notes = parts.reader.warnings
    .filter(({ code }) => code === 'DATASET_ENTRY_UNUSED')
    .map(({ message }) => message);
  // A Hub that does not answer shall not keep anybody waiting for long.
  const settings = hubSettings(env, { attempts: 2 });
  const faults = [
    ...parts.reader.faults,
    ...(await new Checks(parts, settings, notes, env, { rows, onProgress }).run()),
  ];
  throwFaults(faults, { notes });
  return { config: wholeConfig(parts), notes };
}

/** What is checked of a configuration outside of itself, as far as its parts can be read. */
class Checks {
  private readonly faults: ConfigFault[] = [];
  private checkedModel: CheckedModel | undefined;

  constructor(
    private readonly parts: ConfigParts,
    private readonly settings: HubSettings,
    private readonly notes: string[],
    private readonly env: NodeJS.ProcessEnv,
    private readonly looking: Required<ValidateOptions>,
  ) {}

  async run(): Promise<ConfigFault[]> {
    const { modelName, outputDir, huggingfaceRepo, uploadConfig } = this.parts;
    const { datasets, retentionDatasets = [], trainingConfig, adaptiveLossConfig } = this.parts;
    const tokenizer = modelName === undefined ? undefined : await this.model(modelName);
    if (datasets !== undefined) {
      const { settings } = this;
      const onNote = (note: string) => void this.notes.push(note);
      const found = await checkDatasets({
        datasets: [...datasets, ...retentionDatasets],
        trainingConfig,
        adaptiveLossConfig,
        tokenizer,
        settings,
        onNote,
        positions: this.checkedModel?.positions,
        ...this.looking,
      });
      this.faults.push(...found);
    }
    if (outputDir !== undefined) await this.output(outputDir);
    if (typeof huggingfaceRepo === 'string') {
      const at = this.spell('huggingfaceRepo');
      const isPrivate = uploadConfig?.isPrivateRepo === true;
      const fault = await checkUpload(huggingfaceRepo, isPrivate, this.settings, this.noteOn(at));
      this.refuse(at, fault);
    }
    return this.faults;
  }

  private async output(outputDir: string): Promise<void> {
    const { trainingConfig, adaptiveLossConfig } = this.parts;
    const found = await checkOutput({
      ...{ outputDir, trainingConfig, adaptiveLossConfig, env: this.env },
      spell: (name) => this.spell(name),
      onNote: (note) => void this.notes.push(note),
    });
    this.faults.push(...found);
  }

  /** The tokenizer, with the chat template it would train with, to try the datasets on. */
  private async model(name: string): Promise<Tokenizer | undefined> {
    const at = this.spell('modelName');
    const { trainingConfig } = this.parts;
    const options = {
      settings: this.settings,
      needsWeights: trainingConfig?.fromScratch !== true,
      ignoreDropout: trainingConfig?.ignoreDropout === true,
    };
    const { fault, answer } = await checkModel(name, options, this.noteOn(at));
    this.checkedModel = answer;
    this.refuse(at, fault);
    if (trainingConfig !== undefined && answer !== undefined)
      longestRow(trainingConfig.maxLengthToken, answer.decoder, this.noteOn(this.spell('trainingConfig')));
    const topK = this.parts.adaptiveLossConfig?.topK;
    if (topK !== undefined && answer !== undefined && topK >= answer.decoder.vocabSize)
      this.noteOn(`${this.spell('adaptiveLossConfig')}.${this.spell('topK')}`)(
        `all ${answer.decoder.vocabSize} tokens of the model are among its first ${topK}, so ideas has nothing to train`,
      );
    // Beside an adapter, patterns are of its weights, too, whose names follow from the model.
    if (trainingConfig !== undefined && answer?.weights !== undefined && this.parts.peftConfig == null) {
      for (const { path: key, ...fault } of weightPatternFaults(trainingConfig, answer.weights))
        this.faults.push({ path: `${this.spell('trainingConfig')}.${this.spell(key)}`, ...fault });
    }
    if (answer !== undefined) {
      this.adapterModules(answer);
      await this.adapterOverBase(name, answer);
    }
    if (answer !== undefined && trainingConfig !== undefined) {
      const loadsInFewerBits = trainingConfig.loadIn4bit || trainingConfig.loadIn8bit;
      const hasAdapterConfig = this.parts.peftConfig != null;
      this.refuse(
        this.spell('peftConfig'),
        faultOfFrozenBase({ ...answer, loadsInFewerBits, hasAdapterConfig }),
      );
    }
    if (answer === undefined || trainingConfig === undefined) return undefined;
    const opened = await askHub(async () => {
      try {
        const onWarning = (note: string) => void this.notes.push(note);
        return await trainingTokenizer(name, trainingConfig.chatTemplate, onWarning, this.settings);
      } catch (error) {
        if (!AdaptiveTrainerError.isInstance(error, 'CHAT_TEMPLATE_FAILED')) throw error;
        this.refuse(`${this.spell('trainingConfig')}.${this.spell('chatTemplate')}`, error.message);
        return undefined;
      }
    }, this.noteOn(at));
    this.refuse(at, opened.fault);
    return opened.answer;
  }

  /** Whether the adapter's names of modules fit the model. */
  private adapterModules({ adapted }: CheckedModel): void {
    const { peftConfig } = this.parts;
    if (peftConfig == null || adapted === undefined) return;
    try {
      planAdapter(peftConfig, adapted);
    } catch (error) {
      if (!AdaptiveTrainerError.isInstance(error, 'CONFIG_INVALID')) throw error;
      const { faults, projections = [] } = error.details as { faults: ConfigFault[]; projections?: string[] };
      const known = projections.length > 0 ? `; the model's projections are ${projections.join(', ')}` : '';
      for (const { path: at, code, message } of faults) {
        const spelled = at.split('.').map((key) => this.spell(key));
        this.faults.push({ path: spelled.join('.'), code, message: `${message}${known}` });
      }
    }
  }

  private async adapterOverBase(name: string, { baseDir }: CheckedModel): Promise<void> {
    const { outputDir, peftConfig } = this.parts;
    if (outputDir === undefined || (peftConfig == null && path.resolve(name) === baseDir)) return;
    try {
      await refuseBaseFolder(baseDir, path.join(outputDir, 'final_model'));
    } catch (error) {
      if (!AdaptiveTrainerError.isInstance(error)) throw error;
      this.refuse(this.spell('outputDir'), error.message);
    }
  }

  private refuse(at: string, message: string | undefined): void {
    if (message !== undefined) this.faults.push({ path: at, code: 'INVALID', message });
  }

  private noteOn(at: string): (note: string) => void {
    return (note) => void this.notes.push(`${at}: ${note}`);
  }

  private spell(name: string): string {
    return this.parts.reader.spell(name);
  }
}

// trainer-class.ts <config.json>: the one call, with a trainer of your own.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdaptiveTrainer, parseConfig, trainAdaptively, type EvaluateEvent } from 'adaptive-trainer';

const [configPath = './config.json'] = process.argv.slice(2);
const config = parseConfig(JSON.parse(await readFile(configPath, 'utf8')));

/** Keeps the weights that did best in an evaluation, beside those of the last step. */
class KeepBest extends AdaptiveTrainer {
  private best = Infinity;

  protected override async onEvaluate({ loss, step }: EvaluateEvent): Promise<void> {
    if (loss >= this.best) return;
    this.best = loss;
    await this.saveModel(join(config.outputDir, 'best_model'));
    console.log(`step ${step}: best so far, ${loss.toFixed(4)}`);
  }
}

await trainAdaptively(config, { trainer: KeepBest, progress: false });

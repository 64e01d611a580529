import { shownJson } from '../../common/shown-json.js';
import { camelCase } from '../../common/camel-case.js';
import { metricNames } from '../schema/metric-names.js';
import { configPath } from './config-path.js';
import type { ConfigReader, GivenKeys } from './config-reader.js';

/**
 * Checks what choosing the best model and stopping early need of the other settings, as the Hugging Face Trainer does. Fills
 * in when to save, where that follows from when to evaluate, and gives the metric its name here.
 */
export function readBestModel(reader: ConfigReader, given: GivenKeys, path: string): void {
  const metric = given.get('metricForBestModel');
  if (typeof metric?.value === 'string')
    given.set('metricForBestModel', { ...metric, value: metricName(metric.value) });
  const at = (key: string) => given.get(key)?.path ?? configPath(path, reader.spell(key));
  const value = (key: string, fallback: unknown) => given.get(key)?.value ?? fallback;
  const contradiction = (key: string, message: string) =>
    reader.faults.push({ path: at(key), code: 'CONTRADICTION', message });

  const loadsBest = value('loadBestModelAtEnd', false) === true;
  const evalStrategy = value('evalStrategy', 'steps');
  if (loadsBest) followEvaluations(given, evalStrategy);
  const saveStrategy = value('saveStrategy', 'steps');
  const reasons = [
    ...(loadsBest ? [at('loadBestModelAtEnd')] : []),
    ...(saveStrategy === 'best' ? [at('saveStrategy')] : []),
    ...(value('earlyStoppingPatience', null) !== null ? [at('earlyStoppingPatience')] : []),
    ...(value('lrSchedulerType', 'cosine') === 'reduce_lr_on_plateau' ? [at('lrSchedulerType')] : []),
  ];
  if (reasons.length > 0 && evalStrategy === 'no')
    contradiction('evalStrategy', `expected "steps" or "epoch", since ${reasons[0]} is given, received "no"`);
  if (given.get('metricForBestModel')?.value === 'forgetting') {
    if (value('evalForgetting', null) === false)
      contradiction('metricForBestModel', `expected "forgetting" only where evalForgetting is not false`);
    // What is watched has to be measured, whatever it is measured on.
    if (value('evalForgetting', null) === null)
      given.set('evalForgetting', { value: true, path: at('evalForgetting') });
  }
  if (!loadsBest || saveStrategy === 'best' || evalStrategy === 'no') return;
  if (saveStrategy !== evalStrategy) {
    const message = `expected ${shownJson(evalStrategy)} as in evalStrategy, or "best", since ${reasons[0]} is true, received ${shownJson(saveStrategy)}`;
    return void contradiction('saveStrategy', message);
  }
  const [saveSteps, evalSteps] = [value('saveSteps', 300), stepsBetween(given)];
  if (saveStrategy !== 'steps' || typeof saveSteps !== 'number' || typeof evalSteps !== 'number') return;
  if (saveSteps % evalSteps === 0) return;
  const message = `expected a multiple of evalSteps (${evalSteps}), since ${reasons[0]} is true and only a model that was evaluated can be the best, received ${saveSteps}`;
  contradiction('saveSteps', message);
}

/** Saves where it evaluates, unless told otherwise. */
function followEvaluations(given: GivenKeys, evalStrategy: unknown): void {
  if (!given.has('saveStrategy') && evalStrategy !== 'no')
    given.set('saveStrategy', { value: evalStrategy, path: given.get('evalStrategy')?.path ?? '' });
  if (!given.has('saveSteps'))
    given.set('saveSteps', { value: stepsBetween(given), path: given.get('evalSteps')?.path ?? '' });
}

/** Steps from one evaluation to the next. */
function stepsBetween(given: GivenKeys): unknown {
  const evalSteps = given.get('evalSteps');
  if (evalSteps === undefined) return 200;
  return evalSteps.value ?? given.get('loggingSteps')?.value ?? 10;
}

/** The name here of a metric as the Hugging Face Trainer and TRL call it: `eval_loss`, `eval_mean_token_accuracy`. */
function metricName(name: string): string {
  const bare = camelCase(name.replace(/^eval_/, '').replace(/^mean_token/, 'token'));
  return (metricNames as readonly string[]).includes(bare) ? bare : name;
}

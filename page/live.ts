import type { TrainingEvent } from '../src/events/training-event.js';
import { addEvent } from '../src/report/add-event.js';
import type { ReportData, RunReport } from '../src/report/run-report.js';
import { fill, h } from './dom.js';
import { text } from './numbers.js';
import { shownText } from './shown-text.js';

type State = 'preparing' | 'running' | 'pausing' | 'paused' | 'answering' | 'stopping' | 'ended';

/** What the server says to a request. */
interface Answer {
  ok?: boolean;
  error?: string;
  path?: string;
  answer?: string;
  step?: number;
  seconds?: number;
}

/** What is drawn anew at most this often, in milliseconds, and for no more than a tenth of the time. */
const pause = 1000;

/** The run as it goes on: its events as they come, and the buttons that reach it. */
export class Live {
  readonly bar: HTMLElement;
  readonly ask: HTMLElement;
  private readonly progress = h('progress', { max: 1, value: 0, 'aria-label': 'Steps done' });
  private readonly where = h('span', { class: 'where' });
  private readonly said = h('span', { role: 'status' });
  private readonly answers = h('div', { class: 'answers', 'aria-live': 'polite' });
  private readonly buttons = {
    pause: this.button('Pause', 'pause'),
    resume: this.button('Go on', 'resume'),
    save: this.button('Save now', 'save'),
    stop: this.button('Stop with a checkpoint', 'stop'),
  };
  private readonly question = h('input', {
    type: 'text',
    id: 'question',
    autocomplete: 'off',
    required: true,
  });
  private readonly send = h('button', { type: 'submit' }, 'Ask');
  private state: State = 'running';
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** A request is under way. Buttons stay as they are: one that is disabled loses the focus. */
  private isBusy = false;
  private isStopAsked = false;

  /** @param onChange draws the run anew */
  constructor(
    private readonly live: NonNullable<ReportData['live']>,
    private readonly run: RunReport,
    private readonly onChange: () => void,
  ) {
    const { pause: pauseButton, resume, save, stop } = this.buttons;
    this.bar = h(
      'div',
      { class: 'live', role: 'group', 'aria-label': 'The run' },
      ...[this.where, this.progress, pauseButton, resume, save, stop, this.said],
    );
    this.ask = h(
      'div',
      { class: 'ask' },
      h('h3', {}, h('label', { for: 'question' }, 'Ask the model of this moment')),
      h('form', { on: { submit: (event) => void this.onAsk(event) } }, this.question, this.send),
      this.answers,
    );
    this.show();
  }

  start(): void {
    const source = new EventSource(this.live.eventsUrl);
    source.addEventListener('message', ({ data }) => {
      addEvent(this.run, {
        ...(JSON.parse(data as string) as TrainingEvent),
        time: new Date().toISOString(),
      });
      this.later();
    });
    source.addEventListener('state', ({ data }) => {
      this.state = (JSON.parse(data as string) as { state: State }).state;
      if (this.state === 'ended') {
        source.close();
        this.say(
          'The run is over. report.html in its folder shows the rest: gained and forgotten, token by token.',
        );
      }
      this.show();
      this.later();
    });
    source.addEventListener('open', () => {
      if (this.said.dataset['of'] === 'connection') this.say('');
    });
    source.addEventListener('error', () => {
      if (this.state === 'ended') return;
      this.say('The connection to the run is lost; trying again. The run does not need this page.');
      this.said.dataset['of'] = 'connection';
    });
  }

  /** Draws once for all that comes within a while. */
  private later(): void {
    this.timer ??= setTimeout(() => this.draw(), pause);
  }

  private draw(): void {
    const began = performance.now();
    this.show();
    this.onChange();
    const took = performance.now() - began;
    this.timer = setTimeout(() => (this.timer = undefined), 9 * took);
    // What came meanwhile is drawn after that.
    const seen = this.run.steps.step.length;
    setTimeout(() => this.run.steps.step.length > seen && this.later(), 9 * took + 1);
  }

  private show(): void {
    const { run, state, buttons } = this;
    const done = run.steps.step.at(-1) ?? 0;
    const all = run.start?.steps;
    const left = run.logs.at(-1)?.etaSeconds;
    this.progress.max = all ?? 1;
    this.progress.value = done;
    const eta = left === undefined || state !== 'running' ? '' : ` · ${text(left, 'duration')} left`;
    this.where.textContent = `${state} · step ${text(done, 'count')}${all === undefined ? '' : ` of ${text(all, 'count')}`}${eta}`;
    const isPaused = state === 'paused' || state === 'pausing';
    const isOver = state === 'ended' || state === 'stopping';
    // A button that goes while it has the focus would lose the place of who uses the keyboard.
    const hadFocus = document.activeElement === buttons.pause || document.activeElement === buttons.resume;
    buttons.pause.hidden = isPaused;
    buttons.resume.hidden = !isPaused;
    if (hadFocus) (isPaused ? buttons.resume : buttons.pause).focus();
    for (const button of Object.values(buttons)) button.disabled = isOver || state === 'preparing';
    this.send.disabled = isOver || state === 'preparing';
  }

  private button(name: string, action: string): HTMLButtonElement {
    return h('button', { type: 'button', on: { click: () => void this.act(action) } }, name);
  }

  private async act(action: string): Promise<void> {
    if (this.isBusy) return;
    // Stopping cannot be taken back, so it is asked for twice.
    if (action === 'stop' && !this.isStopAsked) {
      this.isStopAsked = true;
      this.buttons.stop.textContent = 'Really stop?';
      setTimeout(() => {
        this.isStopAsked = false;
        this.buttons.stop.textContent = 'Stop with a checkpoint';
      }, 5000);
      return;
    }
    const answer = await this.post(action);
    if (answer.error !== undefined) this.say(answer.error);
    else if (action === 'save') this.say(`Saved to ${shownText(answer.path ?? 'the output folder')}.`);
    else if (action === 'stop') this.say('It stops after the step that it is in, and writes a checkpoint.');
    else this.say('');
  }

  private async onAsk(event: Event): Promise<void> {
    event.preventDefault();
    if (this.isBusy) return;
    const prompt = this.question.value;
    this.say('The model is asked after the step that it is in…');
    const answer = await this.post('ask', { prompt });
    this.say('');
    const said = answer.error ?? answer.answer ?? '';
    const at =
      answer.step === undefined
        ? ''
        : `step ${text(answer.step, 'count')}, ${text(answer.seconds, 'duration')}`;
    this.answers.prepend(
      h(
        'article',
        { class: 'answer' },
        h('p', { class: 'source' }, at),
        h('p', {}, h('bdi', { class: 'said' }, shownText(prompt))),
        h(
          'dl',
          {},
          h(
            'div',
            {},
            h('dt', {}, answer.error === undefined ? 'Answer' : 'Error'),
            h('dd', {}, h('bdi', { class: 'said' }, shownText(said) || '(nothing)')),
          ),
        ),
      ),
    );
    this.question.select();
  }

  private async post(action: string, body?: object): Promise<Answer> {
    this.isBusy = true;
    this.show();
    try {
      const response = await fetch(`/${action}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.live.token}`, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      });
      return (await response.json()) as Answer;
    } catch {
      return { error: 'The run did not answer. It may be over, or the connection lost.' };
    } finally {
      this.isBusy = false;
      this.show();
    }
  }

  private say(words: string): void {
    delete this.said.dataset['of'];
    fill(this.said, words);
  }
}

// server.ts <folder of models> <folder for runs> [port]: fine-tunes for each user, in one process, one run at a time. Ids of
// users and models are names, never paths. There is no login here: put this behind something that has one.
//   POST   /runs            { "user": "ada", "model": "small", "rows": [{ "prompt": "…", "response": "…" }] } → { "id": … }
//   GET    /runs/<id>       state of the run
//   GET    /runs/<id>/events   its events as they come (SSE), those that were already, first
//   DELETE /runs/<id>       takes it out of the queue, or ends it after the step it is in
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { AdaptiveTrainerError, trainAdaptively, type TrainingEvent } from 'adaptive-trainer';

interface Run {
  id: string;
  user: string;
  model: string;
  rows: Record<string, unknown>[];
  state: 'queued' | 'running' | 'done' | 'cancelled' | 'failed';
  folder: string;
  error?: { code: string; message: string };
  events: TrainingEvent[];
  changed: EventEmitter;
  abort: AbortController;
}

const [models = './models', folder = './runs', port = '8080'] = process.argv.slice(2);
const runs = new Map<string, Run>();
const mostBytes = 16 * 2 ** 20;
const isName = (text: unknown): text is string => typeof text === 'string' && /^[\w-]{1,64}$/.test(text);

/** The engine has one thread, so runs follow each other; the event loop stays free to answer meanwhile. */
let queue: Promise<void> = Promise.resolve();

function enqueue(user: string, model: string, rows: Run['rows']): Run {
  const id = randomUUID();
  const run: Run = {
    ...{ id, user, model, rows, state: 'queued', events: [], folder: join(folder, user, id) },
    ...{ changed: new EventEmitter().setMaxListeners(0), abort: new AbortController() },
  };
  runs.set(id, run);
  queue = queue.then(() => train(run));
  return run;
}

async function train(run: Run): Promise<void> {
  if (run.state !== 'queued') return;
  run.state = 'running';
  try {
    await trainAdaptively(
      {
        modelName: join(models, run.model),
        outputDir: run.folder,
        datasetsConfig: { attention: [{ name: run.user, train: run.rows }] },
        trainingConfig: {
          batchSize: 4,
          gradientAccumulationSteps: 1,
          learningRate: 1e-4,
          numEpochs: 1,
          loggingSteps: 1,
        },
        // An adapter a user: the base model is on the disk once.
        peftConfig: { r: 8, targetModules: 'all-linear' },
      },
      { progress: false, signal: run.abort.signal, onEvent: (event) => tell(run, event) },
    );
    run.state = 'done';
  } catch (error) {
    const { code, message } = AdaptiveTrainerError.isInstance(error)
      ? error
      : { code: 'INTERNAL', message: String(error) };
    run.state = code === 'ABORTED' ? 'cancelled' : 'failed';
    run.error = { code, message };
  }
  run.rows = [];
  run.changed.emit('end');
}

function tell(run: Run, event: TrainingEvent): void {
  run.events.push(event);
  run.changed.emit('event', event);
}

function cancel(run: Run): void {
  if (run.state === 'queued') {
    run.state = 'cancelled';
    run.changed.emit('end');
  }
  run.abort.abort();
}

async function body(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}

/** What a client may see: no rows, no events. */
function shown({ id, user, model, state, folder, error }: Run) {
  return { id, user, model, state, folder, error };
}

async function post(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const expected =
    'Expected { user, model, rows: [{ prompt, response }, …] } with names of letters, digits, _ and -';
  try {
    const { user, model, rows } = (await body(request)) as Record<string, unknown>;
    if (!isName(user) || !isName(model) || !Array.isArray(rows) || rows.length === 0)
      throw new Error('something else');
    return answer(response, 202, shown(enqueue(user, model, rows as Run['rows'])));
  } catch (error) {
    return answer(response, 400, { error: `${expected}, found ${(error as Error).message}.` });
  }
}

function stream(run: Run, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const send = (event: TrainingEvent) =>
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const end = () => response.end(`event: state\ndata: ${JSON.stringify(shown(run))}\n\n`);
  run.events.forEach(send);
  if (run.state !== 'queued' && run.state !== 'running') return void end();
  run.changed.on('event', send).once('end', end);
  response.on('close', () => run.changed.off('event', send).off('end', end));
}

const server = createServer((request, response) => {
  const [, runsPath, id, part] = (request.url ?? '').split('/');
  const run = id === undefined ? undefined : runs.get(id);
  if (runsPath === 'runs' && id === undefined && request.method === 'POST')
    return void post(request, response);
  if (runsPath !== 'runs' || run === undefined)
    return answer(response, 404, { error: 'There is no such run.' });
  if (request.method === 'DELETE') cancel(run);
  else if (part === 'events') return stream(run, response);
  answer(response, 200, shown(run));
});
server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address();
  console.log(`listening on ${typeof address === 'object' ? address?.port : address}`);
});

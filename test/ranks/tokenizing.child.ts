// Trains as one rank by the function that the command calls, and prints how often it began to tokenize in worker threads.
import { TokenizerPool } from '../../src/data/tokens/tokenizer-pool.js';
import { trainAdaptively } from '../../src/train-adaptively.js';

let pools = 0;
const start = TokenizerPool.start.bind(TokenizerPool);
TokenizerPool.start = (...args) => {
  pools++;
  return start(...args);
};
await trainAdaptively(JSON.parse(process.argv[2]!) as Parameters<typeof trainAdaptively>[0], {
  progress: false,
});
console.log(JSON.stringify({ pools }));

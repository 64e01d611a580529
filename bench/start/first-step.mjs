// `node first-step.mjs <package's index.js> <model> [import]`: what a user's program does up to its first step, and how long each
// part took, in milliseconds since the process began; with "import", the import alone. Printed as JSON.
const [library, folder, only] = process.argv.slice(2);
const cpu = (since) => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
};
const since = process.cpuUsage();
const began = performance.now();
const { AdaptiveTrainer, CausalLM, Tokenizer } = await import(library);
const times = { began, imported: performance.now(), importCpu: cpu(since) };
if (only === 'import') {
  const loaded = process.report
    .getReport()
    .sharedObjects.filter((file) => file.endsWith('.node') || /torch/.test(file));
  console.log(JSON.stringify({ ...times, loaded }));
  process.exit();
}
const model = await CausalLM.fromPretrained(folder);
const tokenizer = await Tokenizer.fromPretrained(folder);
times.opened = performance.now();
const text = 'question: what is a snowstorm? answer: a storm with widespread snowfall';
const inputIds = [...tokenizer.encode(text)];
const row = { inputIds, labels: inputIds, learningStyle: 'both' };
const trainer = new AdaptiveTrainer({
  model,
  tokenizer,
  trainDataset: Array.from({ length: 32 }, () => row),
  args: {
    batchSize: 32,
    gradientAccumulationSteps: 1,
    maxSteps: 1,
    precision: 'fp32',
    evalStrategy: 'no',
    saveStrategy: 'no',
  },
  callbacks: [
    {
      onStart: () => void (times.started = performance.now()),
      onStepEnd: () => void (times.stepped = performance.now()),
    },
  ],
});
await trainer.train();
console.log(JSON.stringify({ ...times, cpu: cpu() }));
process.exit();

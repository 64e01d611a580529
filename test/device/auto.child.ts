// Opens a model twice where the device is left to the machine, and prints where they came.
import { CausalLM } from '../../src/model/causal-lm.js';

const devices: string[] = [];
for (let i = 0; i < 2; i++) {
  const model = await CausalLM.fromPretrained(process.argv[2]!);
  devices.push(model.device);
  model.dispose();
}
console.log(JSON.stringify(devices));

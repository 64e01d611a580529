import { randomBytes } from 'node:crypto';

/** Files of a model's repository: what training needs, and what it must leave alone. */
export function tinyModel(weights: Buffer = randomBytes(300_000)): Record<string, string | Buffer> {
  return {
    '.gitattributes': '*.safetensors filter=lfs diff=lfs merge=lfs -text\n',
    'README.md': '# tiny\n',
    'config.json': '{"model_type":"llama"}',
    'generation_config.json': '{}',
    'model.safetensors': weights,
    'tokenizer.json': '{"model":{}}',
    'tokenizer_config.json': '{}',
    'chat_template.jinja': '{{ messages }}',
    'pytorch_model.bin': randomBytes(500),
    'model.fp16.safetensors': randomBytes(500),
    'onnx/model.onnx': randomBytes(500),
    'model.gguf': randomBytes(500),
  };
}

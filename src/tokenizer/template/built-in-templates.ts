// Messages between <|im_start|> and <|im_end|>: ChatML, which Qwen and SmolLM were taught too.
const chatml =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const llama =
  '{% if bos_token is defined %}{{ bos_token }}{% endif %}{% for message in messages %}' +
  "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + (message['content'] | trim) + '<|eot_id|>' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";

const phi =
  "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

/** A chat template that comes with this library. */
export interface BuiltInTemplate {
  /** Jinja text. */
  source: string;
  /** What it is made of; a vocabulary that has each of them as one token was made for it. */
  markers: readonly string[];
}

const imMarkers = ['<|im_start|>', '<|im_end|>'];

/** Chat templates by name, for models that have none of their own. */
export const builtInTemplates: Readonly<
  Record<'llama' | 'phi' | 'qwen' | 'smollm' | 'chatml', BuiltInTemplate>
> = {
  llama: { source: llama, markers: ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'] },
  phi: { source: phi, markers: ['<|user|>', '<|assistant|>', '<|end|>'] },
  qwen: { source: chatml, markers: imMarkers },
  smollm: { source: chatml, markers: imMarkers },
  chatml: { source: chatml, markers: imMarkers },
};

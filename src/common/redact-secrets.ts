const secretVariables = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'WANDB_API_KEY'];
const shortest = 8; // a shorter value is no token, and taking it out would garble ordinary text

/** Text without the access tokens of the environment and without anything that looks like a Hugging Face token. */
export function redactSecrets(text: string, env: NodeJS.ProcessEnv = process.env): string {
  let clean = text.replace(/\bhf_[A-Za-z0-9]{20,}/g, '[redacted]');
  for (const name of secretVariables) {
    const secret = env[name];
    if (secret !== undefined && secret.length >= shortest) clean = clean.replaceAll(secret, '[redacted]');
  }
  return clean;
}

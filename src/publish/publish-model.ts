import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { uploadConfigSchema } from '../config/schema/upload-config.js';
import type { ParsedConfig } from '../config/schema/parsed-config.js';
import type { HubEvent } from '../events/hub-event.js';
import { hubSettings, type HubSettings } from '../common/hub-settings.js';
import type { RunRecord } from './run-record.js';
import { uploadCommand } from './upload-command.js';
import { uploadModel } from '../hub/models/upload-model.js';
import { withoutSecrets } from '../common/without-secrets.js';

/** A finished run. */
export interface PublishModel {
  /** Folder of the final model. */
  folder: string;
  config: ParsedConfig;
  run: RunRecord;
  settings?: HubSettings | undefined;
  /** Told why the model was not uploaded, and how to do it. */
  onWarning: (message: string) => void;
  onEvent?: ((event: HubEvent) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * What follows a run whose configuration names a repository: writes the model card beside the model and, with a token,
 * uploads both. Never fails: the model is there and whole, whatever happens here.
 */
export async function publishModel(publish: PublishModel): Promise<void> {
  const { folder, config, run, onWarning, onEvent, signal, settings = hubSettings() } = publish;
  const { huggingfaceRepo: repo, uploadConfig } = config;
  if (repo === null) return;
  const { isPrivateRepo, commitMessage } = uploadConfig;
  try {
    const { modelCard } = await import('./model-card.js');
    await writeFile(join(folder, 'README.md'), modelCard(repo, config, run));
    if (settings.token === undefined) return; // said before the run, when there was still time to set one
    const uploaded = await uploadModel({
      folder,
      repo,
      isPrivate: isPrivateRepo,
      commitMessage,
      settings,
      signal,
      onProgress: (event) => {
        if (event.event !== 'fileProgress' || event.state === 'error') return;
        onEvent?.({ type: 'upload', repo, path: event.path, state: event.state, progress: event.progress });
      },
    });
    onEvent?.({ type: 'uploaded', repo, ...uploaded });
  } catch (error) {
    const usual = uploadConfigSchema.parse({}).commitMessage;
    const message = commitMessage === usual ? undefined : commitMessage;
    const reason = withoutSecrets(error instanceof Error ? error.message : String(error), settings);
    onWarning(
      `The model was not uploaded to ${repo}. ${reason} It is whole in ${folder}; to upload it: ` +
        uploadCommand(folder, repo, isPrivateRepo, message),
    );
  }
}

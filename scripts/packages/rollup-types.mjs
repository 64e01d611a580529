// One file of declarations for the whole public surface, and the report that shows a change of it in a diff.
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const silent = { default: { logLevel: 'none' } };

/**
 * @param {object} options
 * @param {string} [options.declarations] where the file of declarations goes
 * @param {string} [options.report] the folder where the report goes, as adaptive-trainer.api.md
 */
export function rollupTypes({ declarations, report }) {
  const temporary = path.join(root, 'build', 'api');
  mkdirSync(temporary, { recursive: true });
  const config = ExtractorConfig.prepare({
    configObjectFullPath: path.join(root, 'api-extractor.json'),
    packageJsonFullPath: path.join(root, 'package.json'),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: path.join(root, 'dist', 'index.d.ts'),
      compiler: { tsconfigFilePath: path.join(root, 'tsconfig.build.json') },
      apiReport: {
        ...{ enabled: report !== undefined, reportFileName: 'adaptive-trainer', reportTempFolder: temporary },
        ...(report === undefined ? {} : { reportFolder: report }),
      },
      dtsRollup: {
        enabled: declarations !== undefined,
        ...(declarations === undefined ? {} : { untrimmedFilePath: declarations }),
      },
      docModel: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: silent,
        extractorMessageReporting: silent,
        tsdocMessageReporting: silent,
      },
    },
  });
  const outcome = Extractor.invoke(config, { localBuild: true, messageCallback: quiet });
  if (!outcome.succeeded) throw new Error(`API Extractor found ${outcome.errorCount} errors.`);
}

function quiet(message) {
  if (message.logLevel !== 'error') message.handled = true;
}

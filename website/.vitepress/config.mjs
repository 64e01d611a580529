import { defineConfig } from 'vitepress';

const page = (text, link) => ({ text, link });

// A link that leads nowhere fails the build.
export default defineConfig({
  title: 'adaptive-trainer',
  description: 'Fine-tune Hugging Face causal language models from Node',
  srcDir: 'pages',
  outDir: 'dist',
  cacheDir: '.vitepress/cache',
  cleanUrls: true,
  markdown: { html: false },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    sidebar: [
      {
        text: 'Guides',
        items: [
          page('What it is', '/'),
          page('First run on your own data', '/docs/first-run'),
          page('Ideas or attention', '/docs/styles'),
          page('Keep what the model knew', '/docs/learning'),
          page('Memory and time', '/docs/memory'),
          page('Stop and go on', '/docs/resume'),
          page('Trackers', '/docs/tracking'),
          page('Several processes', '/docs/ranks'),
          page('GPU and clusters', '/docs/gpu-and-clusters'),
          page('Coming from TRL', '/docs/from-trl'),
          page('Coming from Python', '/docs/from-python'),
          page('Troubleshooting', '/docs/troubleshooting'),
          page('Examples', '/examples/'),
        ],
      },
      {
        text: 'In depth',
        items: [
          page('Data', '/docs/data'),
          page('Chat templates', '/docs/templates'),
          page('Training', '/docs/training'),
          page('The adaptive loss', '/docs/adaptive-loss'),
          page('LoRA', '/docs/lora'),
          page('Models', '/docs/models'),
        ],
      },
      {
        text: 'Reference',
        items: [
          page('Keys', '/docs/keys'),
          page('Events', '/docs/events'),
          page('Errors', '/docs/errors'),
          page('Commands', '/docs/cli'),
          page('API', '/api/'),
          page('Changes', '/CHANGELOG'),
          page('Security', '/SECURITY'),
          page('Contributing', '/CONTRIBUTING'),
        ],
      },
    ],
  },
});

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { globSync } from 'tinyglobby';
import { describe, expect, it } from 'vitest';
import { root } from '../../scripts/docs/comments.js';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
// A template is checked as the page that is made of it.
const ignore = ['**/*.template.md', '**/node_modules/**', '**/build/**', '**/fixtures/**'];
const pages = globSync(['*.md', 'docs/**/*.md', 'scripts/**/*.md', 'bench/**/*.md'], { cwd: root, ignore });
const sources = globSync(['{src,native,test,scripts,bench,examples}/**/*.{ts,mjs,cpp,h,py}'], {
  cwd: root,
  ignore,
});

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(page: string): Set<string> {
  const headings = withoutBlocks(read(page)).matchAll(/^#{1,6} +(.+)$/gm);
  return new Set([...headings].map(([, heading]) => anchorOf(heading!)));
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

/** A page without its blocks of code. */
function withoutBlocks(text: string): string {
  return text.replace(/^( *)```.*?^\1```/gms, '');
}

/** What is wrong with a link to `target` that stands in a page of the folder `from`; undefined for one that is whole. */
function faultOf(from: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const page = normalize(join(from, path));
  if (!existsSync(join(root, page))) return `${target}: there is no ${page}`;
  if (anchor === undefined || anchorsOf(page).has(anchor)) return undefined;
  return `${target}: ${page} has no such section`;
}

function faultsOf(from: string, targets: Iterable<string>): string[] {
  return [...targets].map((target) => faultOf(from, target)).filter((fault) => fault !== undefined);
}

describe('the documentation', () => {
  it('has pages and links', () => {
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/adaptive-loss.md']));
    const anchors = [...anchorsOf('docs/adaptive-loss.md')];
    expect(anchors).toEqual(expect.arrayContaining(['confidence', 'dft', 'eaft', 'one-pass']));
    expect(faultOf('docs', 'adaptive-loss.md#no-such-section')).toMatch('has no such section');
  });

  it.each(pages)('%s links to what is there', (page) => {
    const links = [...withoutBlocks(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
    const own = links
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => (target.startsWith('#') ? `${page.split('/').pop()}${target}` : target));
    expect(faultsOf(dirname(page), own)).toEqual([]);
  });

  it.each(pages)('%s names files that are there', (page) => {
    const names = withoutBlocks(read(page)).matchAll(
      /`((?:src|native|test|docs|scripts|bench|examples)\/[\w./-]+)`/g,
    );
    expect(
      faultsOf(
        '.',
        [...names].map(([, path]) => path!),
      ),
    ).toEqual([]);
  });

  it('of the package sends readers to nothing that is not in it', () => {
    const inPackage = globSync('docs/*.md', { cwd: root });
    const sent = inPackage.flatMap((page) =>
      [...read(page).matchAll(/`(src\/[\w./-]+)`/g)].map(([all]) => all),
    );
    expect(sent).toEqual([]);
  });
});

it('each page that a source names is there, and so is its section', () => {
  const faults = sources.flatMap((path) => {
    // A comment may break between the page and the section.
    const text = read(path).replace(/\n\s*(?:\/\/+|\*|#)\s*/g, ' ');
    const named = text.matchAll(/\b(docs\/[\w/-]+\.md)(?:#([\w-]+)|,? "([^"\n]+)")?/g);
    const targets = [...named].map(([, page, anchor, section]) => {
      const wanted = anchor ?? (section === undefined ? undefined : anchorOf(section));
      if (wanted === undefined) return page!;
      // A section may be named by its first words.
      const whole = [...(existsSync(join(root, page!)) ? anchorsOf(page!) : [])];
      return `${page}#${whole.find((one) => one.startsWith(wanted)) ?? wanted}`;
    });
    return faultsOf('.', targets).map((fault) => `${path}: ${fault}`);
  });
  expect(faults).toEqual([]);
});

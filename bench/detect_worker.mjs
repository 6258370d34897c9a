// Asks obscenity: `node detect_worker.mjs FOLDER NAME TEXTS ANSWER`, FOLDER being where it is installed.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, , question, answer] = process.argv.slice(2);
const { RegExpMatcher, englishDataset, englishRecommendedTransformers } = createRequire(
  `${folder}/package.json`,
)("obscenity");
const matcher = new RegExpMatcher({ ...englishDataset.build(), ...englishRecommendedTransformers });
const texts = JSON.parse(readFileSync(question, "utf-8"));
// The compiler needs a few hundred calls, as in any server that has run for a second.
for (const text of texts.slice(0, 300)) matcher.hasMatch(text);
const hits = [];
const times = [];
for (const text of texts) {
  const cpu = process.cpuUsage();
  const wall = process.hrtime.bigint();
  hits.push(matcher.hasMatch(text));
  const took = Number(process.hrtime.bigint() - wall) / 1e6;
  const { user, system } = process.cpuUsage(cpu);
  times.push([took, (user + system) / 1e3]);
}
writeFileSync(answer, JSON.stringify({ hits, times }));

// Runs the suite in a folder against a cache: node run.mjs FOLDER BASE. Tells what came of it as one
// JSON object: how many tests of each kind ended how, and which required ones did not pass.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

// The symbols of a result, as the suite's README has them.
const NAMES = {
  '✅': 'pass',
  '⛔️': 'fail',
  '⚠️': 'optional_fail',
  '⁉️': 'harness_fail',
  '🔹': 'setup_fail',
  '⚪️': 'dependency_fail',
  '↻': 'retry',
  '-': 'untested'
}

const [folder, base] = process.argv.slice(2)
// Newer versions of the suite have their machinery in a folder of its own.
const engine = fs.existsSync(path.join(folder, 'test-engine')) ? path.join(folder, 'test-engine') : folder
const load = (from, ...names) => {
  const found = names.map(name => path.join(from, name)).find(file => fs.existsSync(file))
  return import(pathToFileURL(found))
}
const { default: suites } = await load(folder, 'tests/index.mjs')
const { runTests, getResults } = await load(engine, 'client/runner.mjs')
const { determineTestResult } = await load(engine, 'lib/results.mjs', 'lib/display.mjs')

if (runTests.length === 4) {
  const fetch = createRequire(path.join(path.resolve(folder), 'package.json'))('node-fetch')
  await runTests(suites, fetch, false, base)
} else {
  await runTests(suites, false, base)
}
const results = getResults()
const told = {}
const others = {}
for (const test of suites.flatMap(suite => suite.tests)) {
  if (test.browser_only || test.cdn_only) continue
  const kind = test.kind || 'required'
  const symbol = determineTestResult(suites, test.id, results)[2]
  const name = NAMES[symbol] || symbol
  told[kind] ??= {}
  told[kind][name] = (told[kind][name] || 0) + 1
  if (kind === 'required' && name !== 'pass') others[test.id] = `${name}: ${results[test.id]}`
}
process.stdout.write(JSON.stringify({ told, others }))
process.exit(0)

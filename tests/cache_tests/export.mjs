// Prints the test definitions of the npm package http-cache-tests as one JSON document:
// node export.mjs <folder of the package>
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const index = resolve(process.argv[2], 'tests/index.mjs')
const { default: suites } = await import(pathToFileURL(index))
process.stdout.write(JSON.stringify(suites))

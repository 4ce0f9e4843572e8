import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Projects by how long their files take, the longest first. */
const PROJECTS: readonly string[] = ["simulation", "packing", "integration", "e2e", "unit"];

/** Files that take longer than their length says, which is all that is known of files in a fresh clone. */
const LONG_FILES =
  /test\/e2e\/(attacks|clocks|drill|overload|storm)|test\/system\/(console|console-pages|disk|systemd|upgrade)\.test/;

/** Starts the files that take longest first, so that no processor is left with one of them at the end. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ project, moduleId }: TestSpecification): number =>
      2 * PROJECTS.indexOf(project.name) + (LONG_FILES.test(moduleId) ? 0 : 1);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

package generator

// modeKey is the question of how a type of rotation is done, asked where a target leaves a choice.
const modeKey = "mode"

// BaseQuestions returns the questions that every template tree asks, in order. Some have choices that depend on the tree: Catalog.Questions
// has them, and the questions of the features and of the layers.
func BaseQuestions() []Question {
	return []Question{
		{
			Key: "name", Prompt: "Name of the project", Help: "lower-case letters, digits and hyphens; also the folder's name",
			Why:      "names the folder, the function and the secret: lower-case letters, digits and hyphens; most say what the secret is for",
			Argument: true, Pattern: nameExpr, validate: validateName,
		},
		{
			Key: "type", Prompt: "Credential to rotate", Help: "type of rotation",
			Why:  "decides what is rotated and whether clients notice; for a database most take two users, without downtime",
			Flag: true,
		},
		{
			Key: "engine", Prompt: "Database engine", Help: "database engine",
			Why:  "decides the driver, the statements and the tests; choose your database",
			Flag: true,
		},
		{
			Key: "provider", Prompt: "Provider of the key", Help: "whose API makes and revokes the keys",
			Why:  "decides which API makes, proves and revokes the keys; take the one that the key is for",
			Flag: true,
		},
		{
			Key: modeKey, Prompt: "How to rotate", Help: "what a rotation does to the previous credential",
			Why:   "decides how long the previous credential works beside the new one; most take the one without downtime",
			First: true,
		},
		{
			Key: "module", Prompt: "Go module path", Help: "Go module path of the emitted project",
			Why:     "the import path of the code, which matters only to code that imports it; most take the repository's path",
			Default: "example.com/{name}", Flag: true, validate: validateModule,
		},
		{
			Key: "secret_name", Prompt: "Name of the secret", Help: "its name in Secrets Manager",
			Why:     "what applications ask Secrets Manager for; most keep the project's name",
			Default: "{name}", Pattern: secretNameExpr, validate: validateSecretName,
		},
		{
			Key: "schedule", Prompt: "How often to rotate", Help: "30d, rate(12 hours) or cron(0 4 1 * ? *), in UTC",
			Why:     "how old a password may get: 30d, rate(12 hours) or cron(0 4 1 * ? *), in UTC; most take 30d",
			Default: "30d", validate: validateSchedule,
		},
		{
			Key: "window", Prompt: "Length of the rotation window", Help: "whole hours such as 3h; empty leaves it to Secrets Manager",
			Why:      "how long after its time a rotation may begin, such as 3h; most leave it empty, and Secrets Manager decides",
			Optional: true, validate: validateWindow,
		},
		{
			Key: "region", Prompt: "AWS region", Help: "such as eu-west-1; empty leaves it to a Terraform variable",
			Why:      "where it is deployed, such as eu-west-1; most leave it empty, so that one project serves every region",
			Optional: true, Pattern: regionExpr, validate: validateRegion,
		},
		{
			Key: "replicas", Prompt: "Regions with a replica", Help: "such as eu-central-1,us-east-1; empty for none",
			Why:      "other regions that get a read-only copy of the secret, such as eu-central-1,us-east-1; most leave it empty",
			Optional: true, List: true, validate: validateReplicas,
		},
		{
			Key: "keep", Prompt: "Files that are yours to change", Help: "path patterns whose changes are reported, never a difference",
			Default:  "README.md,RUNBOOK.md,terraform/*.tfvars,.github/workflows/*,.gitlab-ci.yml",
			Optional: true, List: true, Silent: true, validate: validateKeep,
		},
	}
}

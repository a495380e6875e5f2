package clerkemu

// instanceBody is the schema Instance.
type instanceBody struct {
	Object          string   `json:"object"`
	ID              string   `json:"id"`
	EnvironmentType string   `json:"environment_type"`
	AllowedOrigins  []string `json:"allowed_origins"`
	WorkspaceID     *string  `json:"workspace_id"`
}

// getInstance is GetInstance, GET /instance.
func (s *Server) getInstance(*request) (any, error) {
	environment := "development"
	if s.opts.Production {
		environment = "production"
	}
	return instanceBody{Object: "instance", ID: s.signer.instanceID, EnvironmentType: environment}, nil
}

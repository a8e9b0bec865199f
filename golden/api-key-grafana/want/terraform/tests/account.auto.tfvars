grafana_url = "https://grafana.example.com"
